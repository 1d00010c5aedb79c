"use strict";
(() => {
  const bar = document.querySelector(".bar");
  const sheets = [...document.querySelectorAll(".sheet")];
  const key = `marking ${bar.dataset.stem}`;
  const input = (card) => card.querySelector("input");
  const comment = (card) => card.querySelector("textarea");
  const sheet = () => sheets.find((one) => !one.hidden);
  const cards = (one) => [...one.querySelectorAll(".card")];
  const name = (card) => `${card.closest(".sheet").dataset.question}/${card.dataset.answer}/${card.dataset.text}`;
  let kept = {};
  try { kept = JSON.parse(localStorage.getItem(key)) || {}; } catch { /* no storage: the page works without */ }

  function valid(card) {
    const points = input(card).value;
    return points !== "" && Number(points) >= 0 && Number(points) <= Number(card.closest(".sheet").dataset.points);
  }
  function show() {
    const all = sheets.flatMap(cards);
    for (const card of all) {
      card.classList.toggle("done", valid(card));
      for (const button of card.querySelectorAll("[data-give]")) {
        button.setAttribute("aria-pressed", String(button.dataset.give === input(card).value));
      }
    }
    for (const one of sheets) {
      const said = [...new Set(cards(one).map((card) => comment(card).value.trim()).filter(Boolean))];
      for (const select of one.querySelectorAll(".again")) {
        select.replaceChildren(new Option("", ""), ...said.map((text) => new Option(text.slice(0, 60), text)));
      }
    }
    const here = cards(sheet()).filter(valid).length;
    document.getElementById("count").value =
      `${here} of ${cards(sheet()).length} here, ${all.filter(valid).length} of ${all.length} in all`;
    Object.assign(document.getElementById("progress"), { max: all.length || 1, value: all.filter(valid).length });
  }
  function keep(card) {
    kept[name(card)] = [input(card).value, comment(card).value];
    try { localStorage.setItem(key, JSON.stringify(kept)); } catch { /* as above */ }
    show();
  }
  function go(step) {
    const list = cards(sheet());
    const at = list.findIndex((card) => card.classList.contains("now"));
    const next = list[Math.min(Math.max(at + step, 0), list.length - 1)];
    for (const card of document.querySelectorAll(".now")) card.classList.remove("now");
    if (next) { next.classList.add("now"); next.scrollIntoView({ block: "center" }); next.focus({ preventScroll: true }); }
  }
  function turn(to) {
    const chosen = sheets[Math.min(Math.max(to, 0), sheets.length - 1)];
    for (const one of sheets) one.hidden = one !== chosen;
    document.getElementById("question").value = chosen.dataset.question;
    go(0); show();
  }
  const quoted = (text) => `"${String(text).replaceAll('"', '""')}"`;
  function save() {
    const rows = [bar.dataset.columns.split(",")];
    for (const card of sheets.flatMap(cards).filter(valid)) {
      rows.push([bar.dataset.stem, card.closest(".sheet").dataset.question, card.dataset.answer,
        card.dataset.text, input(card).value, comment(card).value]);
    }
    const text = rows.map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
    link.download = `${bar.dataset.stem}-marks.csv`;
    link.click();
  }

  for (const card of sheets.flatMap(cards)) {
    const before = kept[name(card)];
    if (before) [input(card).value, comment(card).value] = before;
    input(card).addEventListener("input", () => keep(card));
    comment(card).addEventListener("change", () => keep(card));
    card.querySelector(".again").addEventListener("change", (event) => {
      if (event.target.value) { comment(card).value = event.target.value; keep(card); }
    });
    for (const button of card.querySelectorAll("[data-give]")) {
      button.addEventListener("click", () => { input(card).value = button.dataset.give; keep(card); });
    }
  }
  document.getElementById("question").addEventListener("change", (event) => {
    turn(sheets.findIndex((one) => one.dataset.question === event.target.value));
  });
  document.getElementById("save").addEventListener("click", save);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const card = document.querySelector(".now");
    if (event.key === "Escape" && card) { document.activeElement.blur(); card.focus(); return; }
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const at = sheets.indexOf(sheet());
    if (/^\d$/.test(event.key) && card) {
      if (Number(event.key) <= Number(sheet().dataset.points)) { input(card).value = event.key; keep(card); go(1); }
    } else if (event.key === "j" || event.key === "ArrowDown") { event.preventDefault(); go(1);
    } else if (event.key === "k" || event.key === "ArrowUp") { event.preventDefault(); go(-1);
    } else if (event.key === "n") { turn(at + 1);
    } else if (event.key === "p") { turn(at - 1);
    } else if (event.key === "c" && card) { event.preventDefault(); comment(card).focus(); }
  });
  turn(0);
})();
