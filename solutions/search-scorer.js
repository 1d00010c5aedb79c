// A lesson's section comes before any other page that has the words, and the reference comes last.
var Scorer = {
  score: ([name, , , , score]) => {
    if (/^\d\d_/.test(name)) return score + 100;
    return name.startsWith("reference/") ? score - 100 : score;
  },
  // The rest is Sphinx's own.
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
