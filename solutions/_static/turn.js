// The digit to turn on the home page: the dial moves it, what the networks say, and the curve's hand.
for (const box of document.querySelectorAll(".turn")) {
  const digits = JSON.parse(box.dataset.digits);
  const step = Number(box.dataset.step);
  const image = box.querySelector("img");
  const dial = box.querySelector("input");
  const choice = box.querySelector("select");
  const hand = box.querySelector(".turn-hand");
  const networks = [...box.querySelectorAll(".turn-said")];

  const turn = () => {
    const digit = digits[choice.selectedIndex];
    const angle = Number(dial.value);
    const number = Math.round(angle / step) % (360 / step);
    const said = networks.map((line) => {
      const scores = atob(digit.scores[line.dataset.network]);
      const given = [...scores.slice(10 * number, 10 * number + 10)].map((c) => c.charCodeAt(0));
      const read = given.indexOf(Math.max(...given));
      const right = read === digit.label ? "right" : "wrong";
      const text = `${read}, ${Math.round(given[read] / 2.55)} % sure (${right})`;
      line.querySelector("output").textContent = text;
      return `${line.querySelector("b").textContent.replace(":", "")} ${text}`;
    });
    image.style.transform = `rotate(${-angle}deg)`;
    hand.setAttribute("transform", `rotate(${-angle})`);
    dial.setAttribute("aria-valuetext", `${angle}°: ${said.join(", ")}`);
  };

  const choose = () => {
    const digit = digits[choice.selectedIndex];
    image.src = digit.picture;
    image.alt = `A handwritten ${digit.label}`;
    for (const [network, curve] of Object.entries(digit.curves)) {
      box.querySelector(`path.turn-${network}`).setAttribute("d", curve);
    }
    turn();
  };

  dial.addEventListener("input", turn);
  choice.addEventListener("change", choose);
  turn();
}
