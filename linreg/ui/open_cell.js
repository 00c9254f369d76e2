// Opens the selected cell of a sweep: a link leaves the page as it was, to which Back returns.
setTimeout(() => document.querySelector(".st-key-open_cell a").click());
