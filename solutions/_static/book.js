// On paper nothing can be unfolded: hints, solutions and model answers are printed open, and the code
// of pictures, which is long and explains nothing, stays folded.
const folds = () => document.querySelectorAll("article details:not(.given)");
let opened = [];

window.addEventListener("beforeprint", () => {
  opened = [...folds()].filter((fold) => !fold.open);
  opened.forEach((fold) => (fold.open = true));
});

window.addEventListener("afterprint", () => {
  opened.forEach((fold) => (fold.open = false));
});
