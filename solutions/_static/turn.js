// The digit to turn on the home page: the dial moves it, what the networks say, and the curve's hand.
for (const box of document.querySelectorAll(".turn")) {
  const digits = JSON.parse(box.dataset.digits);
  const step = Number(box.dataset.step);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const image = box.querySelector("img");
  const dial = box.querySelector("input");
  const choice = box.querySelector("select");
  const hand = box.querySelector(".turn-hand");
  const names = ["CNN", "GCNN"];

  const path = (given, label) => {
    const points = [];
    for (let number = 0; number < 360 / step; number += 1) {
      const radius = (90 * given[10 * number + label]) / 255;
      const angle = (Math.PI * step * number) / 180;
      points.push(`${-radius * Math.sin(angle)} ${-radius * Math.cos(angle)}`);
    }
    return `M${points.join("L")}Z`;
  };

  const turn = () => {
    const digit = digits[choice.selectedIndex];
    const angle = Number(dial.value);
    const number = Math.round(angle / step) % (360 / step);
    const said = names.map((name) => {
      const given = bytes(digit.scores[name]).slice(10 * number, 10 * number + 10);
      const read = given.indexOf(Math.max(...given));
      const right = read === digit.label ? "right" : "wrong";
      const text = `${read}, ${Math.round(given[read] / 2.55)} % sure (${right})`;
      box.querySelector(`.turn-said.turn-${name} output`).textContent = text;
      return text;
    });
    image.style.transform = `rotate(${-angle}deg)`;
    hand.setAttribute("transform", `rotate(${-angle})`);
    dial.setAttribute("aria-valuetext", `${angle}°: ordinary network ${said[0]}, group network ${said[1]}`);
  };

  const choose = () => {
    const digit = digits[choice.selectedIndex];
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 28;
    const drawing = canvas.getContext("2d");
    const pixels = drawing.createImageData(28, 28);
    bytes(digit.pixels).forEach((value, place) => {
      pixels.data.set([value, value, value, 255], 4 * place);
    });
    drawing.putImageData(pixels, 0, 0);
    image.src = canvas.toDataURL();
    image.alt = `A handwritten ${digit.label}`;
    for (const name of names) {
      const line = box.querySelector(`path.turn-${name}`);
      line.setAttribute("d", path(bytes(digit.scores[name]), digit.label));
    }
    turn();
  };

  dial.addEventListener("input", turn);
  choice.addEventListener("change", choose);
  turn();
}
