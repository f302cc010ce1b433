// Names and keyboard access that the theme leaves out.
function label() {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  document.querySelectorAll(".md-code__nav").forEach((nav, i) => {
    nav.setAttribute("aria-label", `Actions of code block ${i + 1}`);
  });
  document.querySelectorAll(".md-typeset__scrollwrap").forEach((wrap) => { wrap.tabIndex = 0; });
}
new MutationObserver(label).observe(document.body, { childList: true, subtree: true });
label();
