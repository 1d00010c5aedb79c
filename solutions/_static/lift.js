// The picture to lift in lesson 1: it moves and turns, its kernel is edited, and four maps answer.
// An image, a kernel or a map is a list of rows; turns run counter-clockwise, as in the lesson.
{
  const ANGLES = ["0°", "90°", "180°", "270°"];
  const signed = (value) => String(value).replace("-", "−");
  const make = (x, value) => x.map((line, row) => line.map((_, column) => value(row, column)));
  const entries = (x) =>
    x.flatMap((line, row) => line.map((value, column) => [value, row, column]));
  const at = (x, row, column) => x[row]?.[column] ?? 0;

  // torch.rot90, as often as asked; conv2d with padding 1; and the lifting convolution of both.
  const turned = (x, turns) =>
    turns ? turned(make(x, (row, column) => x[column].at(-1 - row)), turns - 1) : x;
  const correlated = (image, kernel) => {
    const product = (row, column, [k, i, j]) => k * at(image, row + i - 1, column + j - 1);
    return make(image, (row, column) =>
      entries(kernel).reduce((sum, entry) => sum + product(row, column, entry), 0),
    );
  };
  const lift = (image, kernel) => ANGLES.map((_, h) => correlated(image, turned(kernel, h)));

  // The image moved by whole pixels, as far as the letter stays inside.
  const inked = (lines) => [...lines.keys()].filter((n) => lines[n].some(Boolean));
  const reached = (image) => [inked(image), inked(turned(image, 3))]; // rows, columns
  const moved = (image, ...steps) => {
    const [down, right] = reached(image).map((line, axis) =>
      Math.max(-line[0], Math.min(steps[axis], image.length - 1 - line.at(-1))),
    );
    return make(image, (row, column) => at(image, row - down, column - right));
  };

  // Where the largest value of the maps is, [h, row, column] each; nowhere if it is not above 0.
  const peaks = (maps) => {
    const largest = Math.max(1, ...maps.flat(2));
    const places = maps.flatMap((map, h) => entries(map).map(([v, ...place]) => [v, h, ...place]));
    return places.filter(([value]) => value === largest).map(([, ...place]) => place);
  };
  const elements = (places) => [...new Set(places.map(([h]) => h))];
  const list = new Intl.ListFormat("en-GB");
  const named = (some) =>
    `the map${some.length > 1 ? "s" : ""} of ${list.format(some.map((h) => ANGLES[h]))}`;

  const where = (maps) => {
    const places = peaks(maps);
    if (!places.length) return "No value is above 0: this kernel finds nothing in the picture.";
    const [[h, row, column]] = places;
    const one = `row ${row + 1}, column ${column + 1}`;
    const place = places.length > 1 ? `${places.length} places` : one;
    const largest = `The largest value, ${maps[h][row][column]}`;
    return `${largest}, is in ${named(elements(places))}, at ${place}.`;
  };

  // What became of a guess: `before` has the maps with a peak before the turn.
  const verdict = (before, by, guess) => {
    if (!before.length) return "There is no peak to follow: give the kernel more pixels of 1.";
    const after = before.map((h) => (h + by) % 4);
    const right = after.includes(guess) ? "Right." : `Not this time: you said ${ANGLES[guess]}.`;
    if (after.length === 4) return `${right} Any answer would be: all four maps have a peak.`;
    const sums = before.map((h) => {
      const sum = `${ANGLES[h]} + ${ANGLES[by]} = ${90 * (h + by)}°`;
      return h + by < 4 ? sum : `${sum}, which is ${ANGLES[h + by - 4]}`;
    });
    return (
      `${right} The largest value is now in ${named(after.sort())}, as the turn adds ` +
      `${ANGLES[by]} to its pose: ${list.format(sums)}. The twist turned each map in its place, ` +
      `and the shift moved it on by ${by} ${by > 1 ? "places" : "place"}.`
    );
  };

  const cells = (values, scale = 1) => {
    const squares = {};
    for (const [value, row, column] of entries(values)) {
      if (value) squares[value] = `${squares[value] ?? ""}M${column} ${row}h1v1h-1z`;
    }
    const inOrder = Object.entries(squares).sort(([one], [other]) => one - other);
    const paths = inOrder.map(([value, d]) => {
      const strength = (0.2 + (0.8 * Math.abs(value)) / scale).toFixed(2);
      const look = `class="lift-${value > 0 ? "plus" : "minus"}" opacity="${strength}"`;
      return `<path ${look} d="${d}"><title>${signed(value)}</title></path>`;
    });
    return paths.join("");
  };
  const draw = (svg, drawn, label) => {
    svg.innerHTML = drawn;
    svg.setAttribute("aria-label", label);
  };

  for (const box of document.querySelectorAll("form.lift")) {
    const picture = box.querySelector(".lift-picture svg");
    const pixels = box.querySelectorAll(".lift-kernel button");
    const poses = box.querySelectorAll(".lift-place > svg");
    const answers = [...box.querySelectorAll(".lift-map")];
    const [says, judges] = box.querySelectorAll("output");
    const button = box.querySelector(".lift-turn");
    const { by, guess } = box.elements;
    let image, kernel, pose, held;
    let shift = null; // the second step of a turn, between the two

    const answer = (maps) => {
      const scale = Math.max(1, ...maps.flat(2).map(Math.abs));
      answers.forEach((box, h) => {
        const largest = signed(Math.max(...maps[h].flat()));
        const rings = peaks(maps).flatMap(([map, row, column]) =>
          map === h ? [`<circle cx="${column + 0.5}" cy="${row + 0.5}" r="0.8"></circle>`] : [],
        );
        const drawn = cells(maps[h], scale) + rings.join("");
        draw(box.firstChild, drawn, `Map of ${ANGLES[h]}, largest value ${largest}`);
        box.lastChild.textContent = `largest ${largest}`;
        box.classList.toggle("lift-best", rings.length > 0);
      });
      says.textContent = where(maps);
    };

    const show = (text = "") => {
      box.getAnimations({ subtree: true }).forEach((moving) => moving.finish());
      shift = null;
      judges.textContent = text;
      button.textContent = `Turn by ${ANGLES[by.value]}`;
      const [rows, columns] = reached(image).map((n) => `${n[0] + 1} to ${n.at(-1) + 1}`);
      const place = `in rows ${rows} and columns ${columns} of 9 by 9 pixels`;
      draw(picture, cells(image), `An F in the pose ${ANGLES[pose]}, ${place}`);
      entries(kernel).forEach(([value, row, column], n) => {
        pixels[n].dataset.value = value;
        pixels[n].textContent = signed(value);
        const place = `Row ${row + 1}, column ${column + 1}`;
        pixels[n].setAttribute("aria-label", `${place}: ${signed(value)}`);
      });
      poses.forEach((svg, h) => {
        const posed = turned(kernel, h);
        const rows = posed.map((line) => line.map(signed).join(" ")).join("; ");
        draw(svg, cells(posed), `The kernel turned by ${ANGLES[h]}: ${rows}`);
      });
      answer(lift(image, kernel));
    };

    const start = () => {
      [image, kernel] = [box.dataset.image, box.dataset.kernel].map((text) => JSON.parse(text));
      pose = 0;
      show();
    };
    const move = (next) => {
      if (String(next) === String(image)) return;
      image = next;
      show();
    };

    // Things come to where they are drawn from where they were; at once for who wants no motion.
    const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
    const animate = (things, frames) => {
      const look = { duration: isStill() ? 0 : 900, easing: "ease-in-out" };
      const moving = things.map((thing, n) => thing.animate(frames(n), look));
      return Promise.all(moving.map((animation) => animation.finished));
    };

    const turn = async () => {
      const [turns, said] = [Number(by.value), Number(guess.value)];
      const maps = lift(image, kernel);
      image = turned(image, turns);
      pose = (pose + turns) % 4;
      show(`First the twist: each map has turned in its place by ${ANGLES[turns]}.`);
      answer(maps.map((map) => turned(map, turns)));
      button.textContent = "Now the shift";
      const second = () => {
        guess.forEach((input) => (input.checked = false));
        show(verdict(elements(peaks(maps)), turns, said));
        const lefts = answers.map((box) => box.getBoundingClientRect().left);
        animate(answers, (h) => ({ translate: [`${lefts.at(h - turns) - lefts[h]}px`, "0px"] }));
      };
      shift = second;
      const drawings = [picture, ...answers.map((box) => box.firstChild)];
      const rotate = [`${90 * turns}deg`, "0deg"];
      await animate(drawings, () => ({ rotate, scale: [1, 0.7, 0.7, 1] })); // corners need room
      if (!isStill()) setTimeout(() => shift === second && shift(), 700);
    };

    box.addEventListener("submit", (event) => {
      event.preventDefault();
      (shift ?? turn)();
    });
    box.addEventListener("reset", () => setTimeout(start)); // once the inputs are as they were
    by.addEventListener("change", () => show());
    box.addEventListener("click", ({ target }) => {
      const n = [...pixels].indexOf(target);
      if (n >= 0) {
        const line = kernel[Math.floor(n / 3)];
        line[n % 3] = ((line[n % 3] + 2) % 3) - 1; // 0, 1, −1 and round again
        show();
      }
      if (target.dataset.move) move(moved(image, ...target.dataset.move.split(" ").map(Number)));
    });
    picture.addEventListener("pointerdown", (event) => {
      picture.setPointerCapture(event.pointerId);
      held = { image, x: event.clientX, y: event.clientY };
    });
    picture.addEventListener("pointermove", ({ clientX, clientY }) => {
      if (!held) return;
      const pixel = picture.getBoundingClientRect().width / image.length;
      const steps = [clientY - held.y, clientX - held.x].map((way) => Math.round(way / pixel));
      move(moved(held.image, ...steps));
    });
    picture.addEventListener("lostpointercapture", () => (held = null));
    box.querySelectorAll("[hidden]").forEach((part) => (part.hidden = false));
    start();
  }
}
