// What breaks equivariance: lift(turn f) beside turn(lift f), for every angle and a kernel of choice.
// Images, kernels and maps are squares of numbers, row by row.
{
  const sideOf = (square) => Math.sqrt(square.length);
  const percent = (error) => `${(100 * error).toFixed(1)} %`;

  // L_g: the value at x is looked up at g⁻¹x, between pixels linearly; outside there are zeros.
  const turn = (square, degrees) => {
    const side = sideOf(square);
    const middle = (side - 1) / 2;
    const [cos, sin] = [Math.cos, Math.sin].map((f) => f((degrees * Math.PI) / 180));
    const at = (r, c) => (r < 0 || c < 0 || r >= side || c >= side ? 0 : square[r * side + c]);
    return square.map((_, i) => {
      const [r0, r1] = [Math.floor(i / side) - middle, (i % side) - middle];
      const [r, c] = [cos * r0 + sin * r1 + middle, cos * r1 - sin * r0 + middle];
      const [top, left] = [Math.floor(r), Math.floor(c)];
      const [down, right] = [r - top, c - left];
      const above = (1 - right) * at(top, left) + right * at(top, left + 1);
      const below = (1 - right) * at(top + 1, left) + right * at(top + 1, left + 1);
      return (1 - down) * above + down * below;
    });
  };

  // 1 inside the largest circle, 0 outside, with an edge of one pixel.
  const disk = (side) =>
    Float64Array.from({ length: side * side }, (_, i) => {
      const middle = (side - 1) / 2;
      const distance = Math.hypot(Math.floor(i / side) - middle, (i % side) - middle);
      return Math.min(1, Math.max(0, side / 2 - distance));
    });

  const times = (square, mask) => square.map((value, i) => value * mask[i]);

  // conv2d with zeros around the image: each pixel gives its share to the places that look at it.
  const convolve = (image, kernel) => {
    const [side, size] = [image, kernel].map(sideOf);
    const map = new Float64Array(image.length);
    image.forEach((value, i) => {
      if (value === 0) return;
      const [bottom, right] = [Math.floor(i / side), i % side].map((n) => n + (size - 1) / 2);
      for (let r = Math.max(0, bottom - side + 1); r < size && r <= bottom; r++) {
        for (let c = Math.max(0, right - side + 1); c < size && c <= right; c++) {
          map[(bottom - r) * side + right - c] += kernel[r * size + c] * value;
        }
      }
    });
    return map;
  };

  // The poses of a kernel; without the inverse it is sampled at hx, and turns the other way.
  const sample = (kernel, order, onDisk, inverse) =>
    Array.from({ length: order }, (_, h) => {
      const pose = turn(kernel, ((inverse ? 360 : -360) * h) / order);
      return onDisk ? times(pose, disk(sideOf(kernel))) : pose;
    });

  for (const box of document.querySelectorAll(".breaks")) {
    const { pixels, weights, step, margin, colours, height, top } = JSON.parse(box.dataset.state);
    const image = Float64Array.from(atob(pixels), (pixel) => pixel.charCodeAt(0) / 255);
    const side = sideOf(image);
    const inside = disk(side);
    const dial = box.querySelector("[type=range]");
    const heightOf = (error) => height * (1 - error / top);
    const find = (name) => box.querySelector(`.breaks-${name}`);
    let order, inverse, onDisk, kernels, lifted, waiting;

    const elements = () => kernels.map((_, h) => (360 * h) / order);
    const add = (sum, value, i) => sum + (value * inside[i]) ** 2;
    const size = (maps) => Math.sqrt(maps.reduce((sum, map) => map.reduce(add, sum), 0));

    // Both ways round, and how far they are apart, relative to the second and within the circle.
    const compare = (angle) => {
      const turned = turn(image, angle);
      const first = kernels.map((kernel) => convolve(turned, kernel));
      const steps = Math.round((angle * order) / 360);
      const then = lifted.map((_, h) => turn(lifted[(h - steps + order) % order], angle));
      const difference = first.map((map, h) => map.map((value, i) => value - then[h][i]));
      const error = size(difference) / size(then);
      return { turned, first, then, difference, error, framed: steps % order };
    };

    const draw = (name, squares, limit, framed) => {
      const wide = side + 2 * margin;
      const canvas = document.createElement("canvas");
      canvas.width = wide * Math.min(squares.length, 8);
      canvas.height = wide * Math.ceil(squares.length / 8);
      const context = canvas.getContext("2d");
      context.fillStyle = `rgb(${colours[3]})`;
      squares.forEach((square, number) => {
        const [x, y] = [wide * (number % 8), wide * Math.floor(number / 8)];
        if (number === framed) context.fillRect(x, y, wide, wide);
        const scale = sideOf(square) / side;
        const cell = context.createImageData(side, side);
        for (let i = 0; i < side * side; i++) {
          const [r, c] = [Math.floor(i / side), i % side].map((n) => Math.floor(n * scale));
          const value = square[r * sideOf(square) + c] / limit;
          const end = colours[value < 0 ? 1 : 2];
          const share = Math.min(1, Math.abs(value));
          const colour = colours[0].map((middle, n) => middle + share * (end[n] - middle));
          cell.data.set([...colour, 255], 4 * i);
        }
        context.putImageData(cell, x + margin, y + margin);
      });
      box.querySelector(`[data-row=${name}]`).src = canvas.toDataURL();
    };

    const why = (angle) => {
      const place = (angle * order) / 360;
      const [below, above] = [Math.floor(place), Math.ceil(place)].map((h) => (360 * h) / order);
      if (angle === 0) return "nothing is turned, so nothing can break";
      if (order === 1) return "there is one pose only, and none to move on to";
      if (!inverse && angle === 180) return "half a turn is its own inverse";
      if (!inverse) return "without the inverse the poses run the wrong way";
      if (angle % 90 === 0) return "the two are the same";
      if (below !== above) return `no shift fits exactly between ${below}° and ${above}°, and \
interpolation adds to that`;
      return `a shift fits, but interpolation blurs${onDisk ? "" : ", and a square loses its corners"}`;
    };

    const show = () => {
      const angle = Number(dial.value);
      const { turned, first, then, difference, error, framed } = compare(angle);
      const largest = (squares) => Math.max(...squares.map((s) => Math.max(...s.map(Math.abs))));
      draw("digit", [turned], 1);
      draw("kernel", kernels, largest(kernels), framed);
      const limit = largest([...first, ...then]);
      draw("first", first, limit, framed);
      draw("then", then, limit, framed);
      draw("difference", difference.map((map) => times(map, inside)), limit / 2, framed);
      box.dataset.error = error;
      find("angle").textContent = `${angle}°`;
      box.querySelector("output").textContent =
        `At ${angle}° they differ by ${percent(error)}: ${why(angle)}.`;
      dial.setAttribute("aria-valuetext", `${angle}°: ${percent(error)} apart`);
      find("hand").setAttribute("transform", `translate(${angle} ${heightOf(error)})`);
    };

    const drawCurve = () => {
      const errors = Array.from({ length: 360 / step + 1 }, (_, n) => compare(n * step).error);
      const points = errors.map((e, n) => `${n * step} ${heightOf(e).toFixed(1)}`);
      find("before").setAttribute("d", find("now").getAttribute("d") ?? "");
      find("now").setAttribute("d", `M${points.join("L")}`);
      find("elements").setAttribute("d", elements().map((h) => `M${h} ${height}v6`).join(""));
      const said = [0, 45, 90, 135, 180].map((a) => `${a}° ${percent(errors[a / step])}`);
      find("curve title").textContent = `The difference over the angle: ${said.join(", ")}`;
    };

    const change = () => {
      const form = new FormData(box);
      order = Number(form.get("order"));
      inverse = !form.has("forget");
      onDisk = form.get("support") === "disk";
      kernels = sample(weights[form.get("size")], order, onDisk, inverse);
      lifted = kernels.map((kernel) => convolve(image, kernel));
      const poses = elements().map((h) => `${h}°`);
      if (order > 8) poses.splice(3, order - 4, "…");
      find("note span").textContent = poses.join(", ");
      find("rows").style.setProperty("--columns", order);
      show();
      clearTimeout(waiting); // 144 angles take a moment; the pictures need not wait for them
      waiting = setTimeout(drawCurve);
    };

    box.addEventListener("submit", (event) => event.preventDefault());
    box.addEventListener("input", (event) => (event.target === dial ? show() : change()));
    change();
  }
}
