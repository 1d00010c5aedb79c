// On paper nothing can be unfolded: hints, solutions and model answers are printed open, and the code
// of pictures, which is long and explains nothing, stays folded. Paper is white, also for who reads in
// the dark.
const folds = () =>
  [...document.querySelectorAll("article details")].filter(
    (fold) => !fold.matches(".cell:not(.tag_solution) > details"),
  );
const page = document.documentElement;
let opened = [];
let theme;

window.addEventListener("beforeprint", () => {
  opened = folds().filter((fold) => !fold.open);
  opened.forEach((fold) => (fold.open = true));
  theme = page.dataset.theme;
  page.dataset.theme = "light";
});

window.addEventListener("afterprint", () => {
  opened.forEach((fold) => (fold.open = false));
  page.dataset.theme = theme;
});

// A formula that is wider than the screen scrolls in its own box, which the keyboard has to reach.
window.addEventListener("load", () => {
  for (const formula of document.querySelectorAll("article div.math")) {
    if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
  }
});
