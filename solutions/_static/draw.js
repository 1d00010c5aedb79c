// Draw your own digit: what is drawn becomes a picture like those of MNIST, and the two networks say
// what they read, at the dial's angle and all around. They are in networks.js, loaded on a click.
for (const box of document.querySelectorAll(".draw")) {
  const [SIDE, PEN, STEP] = [28, 2.3, 15]; // pixels of a picture, of MNIST's strokes; degrees
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const source = new URL("networks.js", document.currentScript.src);
  const find = (name) => box.querySelector(`.draw-${name}`);
  const [open, panel, paper, seen, dial] = ["open", "panel", "paper", "seen", "dial"].map(find);
  const networks = [...box.querySelectorAll(".draw-said")].map((line) => ({
    key: line.dataset.network,
    name: line.querySelector("b").textContent.replace(":", ""),
    output: line.querySelector("output"),
    curve: box.querySelector(`path.draw-${line.dataset.network}`),
  }));
  const PIXEL = paper.width / SIDE;
  const say = (name, text) => (find(name).textContent = text);
  const best = (scores) => scores.indexOf(Math.max(...scores));
  let strokes = []; // of points on the paper
  let [pen, down, ring] = [[paper.width / 2, paper.height / 2], false, false];
  let pixels = null; // what the networks see of the strokes
  let [worker, busy] = [null, true];
  let [turned, around] = [false, []]; // whether the dial's angle is to be read, and the scores so far

  const ink = (canvas, width, scale = 1, x = 0, y = 0) => {
    canvas.width += 0; // this clears it
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.setTransform(scale, 0, 0, scale, x, y);
    Object.assign(context, { lineWidth: width / scale, lineCap: "round", lineJoin: "round" });
    context.strokeStyle = "white";
    for (const stroke of strokes) {
      context.beginPath();
      for (const point of [...stroke, stroke.at(-1)]) context.lineTo(...point);
      context.stroke();
    }
    return context;
  };

  const show = () => {
    const context = ink(paper, 20);
    if (!ring) return; // where the pen is, for those who move it with the keyboard
    context.beginPath();
    context.arc(...pen, 13, 0, 2 * Math.PI);
    Object.assign(context, { lineWidth: 4, strokeStyle: "#ffa94d", fillStyle: "#ffa94d" });
    context[down ? "fill" : "stroke"]();
  };

  // As in MNIST: the longer side has 20 pixels, and the centre of mass is in the middle.
  const scan = () => {
    const ends = [0, 1].map((axis) => {
      const all = strokes.flat().map((point) => point[axis]);
      return [Math.min(...all), Math.max(...all)];
    });
    const sizes = ends.map(([low, high]) => high - low);
    const scale = (20 - PEN) / Math.max(paper.width / 5, ...sizes);
    const picture = (middle) => {
      const context = ink(seen, PEN, scale, ...middle.map((at) => (SIDE + 1) / 2 - scale * at));
      const { data } = context.getImageData(0, 0, SIDE, SIDE);
      return Uint8Array.from({ length: SIDE * SIDE }, (_, n) => data[4 * n + 3]);
    };
    const middle = ends.map(([low, high]) => (low + high) / 2);
    const sums = [0, 0, 0];
    picture(middle).forEach((grey, n) => {
      [n % SIDE, Math.floor(n / SIDE), 1].forEach((value, k) => (sums[k] += grey * value));
    });
    pixels = picture(middle.map((at, axis) => at + (sums[axis] / sums[2] - SIDE / 2) / scale));
  };

  const tell = (answer) => {
    const texts = networks.map(({ key, name, output }) => {
      const sure = Math.round(100 * Math.max(...answer[key]));
      output.textContent = `${best(answer[key])}, ${sure} % sure`;
      return `${name} ${output.textContent}`;
    });
    dial.setAttribute("aria-valuetext", `${dial.value}°: ${texts.join(", ")}`);
  };

  const plot = (answer) => {
    around.push(answer);
    const whole = around.length === 360 / STEP;
    const texts = networks.map(({ key, name, curve }) => {
      const upright = best(around[0][key]);
      const points = around.map((scores, n) => {
        const angle = (STEP * n * Math.PI) / 180;
        const radius = box.dataset.radius * scores[key][upright];
        return `${-radius * Math.sin(angle)} ${-radius * Math.cos(angle)}`;
      });
      curve.setAttribute("d", `M${points.join("L")}${whole ? "Z" : ""}`);
      const same = around.filter((scores) => best(scores[key]) === upright).length;
      return `by the ${name} (${upright}) at ${same} of ${around.length} angles`;
    });
    if (whole) say("summary", `Read as upright: ${texts.join(", ")}.`);
  };

  // One question to the networks after the other: the dial's angle first, then all around.
  const work = async () => {
    if (busy) return;
    busy = true;
    while (pixels && (turned || around.length < 360 / STEP)) {
      const [drawn, use] = [pixels, turned ? tell : plot];
      worker.postMessage([pixels, turned ? Number(dial.value) : STEP * around.length]);
      turned = false;
      const { data } = await new Promise((resolve) => (worker.onmessage = resolve));
      if (drawn === pixels) use(data);
    }
    busy = false;
  };

  const turn = () => {
    seen.style.transform = `rotate(${-dial.value}deg)`;
    find("hand").setAttribute("transform", `rotate(${-dial.value})`);
    dial.setAttribute("aria-valuetext", `${dial.value}°`);
    turned = true;
    work();
  };

  // After each stroke, and when all is cleared.
  const update = () => {
    [pixels, around] = [null, []];
    for (const { output, curve } of networks) {
      output.textContent = "";
      curve.removeAttribute("d");
    }
    say("summary", "");
    if (strokes.length) scan();
    else ink(seen, PEN);
    turn();
  };

  const put = (lower) => {
    if (lower && !down) strokes.push([pen]);
    if (!lower && down) update();
    down = lower;
    show();
  };

  const move = (to) => {
    pen = to.map((value) => Math.min(Math.max(value, 0), paper.width));
    if (down) strokes.at(-1).push(pen);
    show();
  };

  const load = async () => {
    say("state", "Loading the networks (0.4 MB) …");
    try {
      worker = new Worker(source);
      await new Promise((yes, no) => Object.assign(worker, { onmessage: yes, onerror: no }));
      say("state", "The networks are here: draw a digit.");
      busy = false;
      work();
    } catch {
      worker = null;
      toggle();
      say("state", "The networks could not be fetched from this page's server; try again later.");
    }
  };

  const toggle = () => {
    panel.hidden = !panel.hidden;
    open.setAttribute("aria-expanded", !panel.hidden);
    if (!panel.hidden && !worker) load();
  };

  open.addEventListener("click", toggle);
  dial.addEventListener("input", turn);
  find("clear").addEventListener("click", () => {
    [strokes, down] = [[], false];
    update();
    show();
  });

  const follow = (event) => {
    if (!event.isPrimary) return; // a second finger draws nothing
    const scale = paper.width / paper.clientWidth;
    ring = false;
    if (event.type === "pointerdown") {
      paper.setPointerCapture(event.pointerId);
      put(false); // in case the keyboard has put it down
    }
    if (event.type !== "pointercancel") move([scale * event.offsetX, scale * event.offsetY]);
    if (event.type !== "pointermove") put(event.type === "pointerdown");
  };
  for (const type of ["down", "move", "up", "cancel"]) paper.addEventListener(`pointer${type}`, follow);

  paper.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if ((!step && event.key !== " ") || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    ring = true;
    if (step) move(pen.map((value, axis) => value + PIXEL * step[axis]));
    else if (!event.repeat) put(!down);
    const [column, row] = pen.map((value) => Math.round(value / PIXEL));
    say("state", `Pen ${down ? "down" : "up"}, column ${column} and row ${row} of ${SIDE}`);
  });
  paper.addEventListener("focus", () => {
    ring = paper.matches(":focus-visible");
    show();
  });
  paper.addEventListener("blur", () => {
    ring = false;
    put(false);
  });
  box.hidden = false;
}
