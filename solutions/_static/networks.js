// The two networks of lesson 1, as a worker for draw.js: 28 × 28 grey values and an angle come in, the
// ten scores of each network go out. Their weights are in networks.bin, as 16-bit floats.
const SIDE = 28;
const TAPS = 5; // a kernel is 5 × 5
// An ordinary convolution is a group convolution whose group has one element only.
const NETWORKS = { CNN: { order: 1, channels: 32 }, GCNN: { order: 4, channels: 16 } };

const mean = (values) => values.reduce((sum, value) => sum + value) / values.length;
const split = (values, parts, size = values.length / parts) =>
  Array.from({ length: parts }, (_, n) => values.subarray(n * size, (n + 1) * size));
const quarterTurn = (kernel) =>
  kernel.map((_, n) => kernel[TAPS * (n % TAPS) + TAPS - 1 - Math.floor(n / TAPS)]);

// The lesson's k_h(x, s) = k(h⁻¹x, h⁻¹s): in the pose h an output channel's kernels [in, slices] are
// turned by h quarter turns, and their slices are shifted by h. Returns those of all poses.
const poses = (kernels, slices, order) => {
  const all = [];
  for (let h = 0; h < order; h++, kernels = kernels.map(quarterTurn))
    all.push(...kernels.map((_, n) => kernels[n - (n % slices) + ((n + order - h) % slices)]));
  return all;
};

// Add to a map what a kernel finds in another one, one row of its taps after the other.
const correlate = (map, side, kernel, sums, small) => {
  for (let i = 0; i < TAPS; i++) {
    const [a, b, c, d, e] = kernel.subarray(TAPS * i);
    for (let row = 0; row < small; row++)
      for (let to = small * row, at = side * (row + i); to < small * (row + 1); to++, at++)
        sums[to] += a * map[at] + b * map[at + 1] + c * map[at + 2] + d * map[at + 3] + e * map[at + 4];
  }
};

// Maps [in, side, side] → [out, side - 4, side - 4], with kernels [out, in].
const convolve = (maps, side, kernels) => {
  const small = side - TAPS + 1;
  const inputs = split(maps, maps.length / side ** 2);
  const sums = new Float64Array((kernels.length / inputs.length) * small ** 2);
  const outputs = split(sums, kernels.length / inputs.length);
  kernels.forEach((kernel, n) => {
    const [output, input] = [Math.floor(n / inputs.length), n % inputs.length];
    correlate(inputs[input], side, kernel, outputs[output], small);
  });
  return sums;
};

// A network, made of what `read` gives one after the other: of each layer the weights and the biases.
const network = ({ order, channels }, read) => {
  const layer = (inputs, slices) => {
    const weights = split(read(channels * inputs * slices * TAPS ** 2), channels);
    const kernels = weights.flatMap((own) => poses(split(own, inputs * slices), slices, order));
    return [kernels, read(channels)];
  };
  const layers = [layer(1, 1), ...[2, 3, 4, 5].map(() => layer(channels, order))];
  const [linear, offsets] = [split(read(10 * channels), 10), read(10)];
  return (picture) => {
    let [maps, side] = [picture.map((grey) => (grey / 255 - 0.1307) / 0.3081), SIDE];
    for (const [kernels, biases] of layers) {
      maps = convolve(maps, side, kernels);
      side -= TAPS - 1;
      split(maps, channels).forEach((own, n) => own.set(own.map((sum) => sum + biases[n])));
      const middle = mean(maps);
      const spread = Math.sqrt(mean(maps.map((value) => (value - middle) ** 2)) + 1e-5);
      maps = maps.map((value) => Math.max(0, (value - middle) / spread));
    }
    const features = split(maps, channels).map(mean); // over positions and poses
    const products = linear.map((row) => row.map((weight, c) => weight * features[c]));
    const scores = products.map((row, n) => channels * mean(row) + offsets[n]);
    const powers = scores.map((score) => Math.exp(score - Math.max(...scores)));
    return powers.map((power) => power / (10 * mean(powers)));
  };
};

// The lesson's `rotate_each`: the value of a pixel is that at the place where it was before.
const rotate = (pixels, angle) => {
  const [cos, sin] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
  const centre = (SIDE - 1) / 2;
  const grey = (x, y) => (Math.min(x, y) < 0 || Math.max(x, y) >= SIDE ? 0 : pixels[SIDE * y + x]);
  return Float64Array.from(pixels, (_, n) => {
    const [right, down] = [(n % SIDE) - centre, Math.floor(n / SIDE) - centre];
    const [x, y] = [cos * right - sin * down + centre, sin * right + cos * down + centre];
    const [left, top] = [Math.floor(x), Math.floor(y)];
    const inRow = (y) => (left + 1 - x) * grey(left, y) + (x - left) * grey(left + 1, y);
    return Math.round((top + 1 - y) * inRow(top) + (y - top) * inRow(top + 1));
  });
};

const half = (bits) => {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
  return bits >> 15 ? -size : size;
};

// A worker may wait for a file: nobody waits for the worker.
const request = new XMLHttpRequest();
request.open("GET", new URL("networks.bin", location), false);
request.responseType = "arraybuffer";
request.send();
const file = new DataView(request.response);
let place = 0;
const read = (count) =>
  Float64Array.from({ length: count }, () => half(file.getUint16((place += 2) - 2, true)));
const networks = Object.entries(NETWORKS).map(([name, shape]) => [name, network(shape, read)]);

onmessage = ({ data: [pixels, angle] }) => {
  const turned = rotate(pixels, angle);
  postMessage(Object.fromEntries(networks.map(([name, scores]) => [name, scores(turned)])));
};
postMessage("ready");
