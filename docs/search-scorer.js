// What the search of the site weighs: see html_search_scorer in conf.py.
//
// A heading that is what was asked (ENOBUFS, "version mismatch") comes before names of functions
// that resemble it: who has got an error from a client looks for what it means.
var Scorer = {
  objNameMatch: 11, // an object of the API is called so
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 50, // a heading has it, times its part of the heading
  partialTitle: 7,
  term: 5, // a word of the text
  partialTerm: 2,
  // A section comes before the whole page that it is of: [..., anchor, ..., score, ..., kind].
  score: ([, , anchor, , score, , kind]) => (kind === "title" && anchor ? score + 2 : score),
};
