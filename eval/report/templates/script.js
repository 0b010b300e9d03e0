const store = document.getElementById("pictures");
const pictures = store ? JSON.parse(store.textContent) : {};
const fill = (example) => {
  for (const image of example.querySelectorAll("img[data-picture]")) {
    image.src = "data:image/jpeg;base64," + pictures[image.dataset.picture];
    delete image.dataset.picture;
  }
};
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) {
      fill(entry.target);
      near.unobserve(entry.target);
    }
  }
}, { rootMargin: "800px" });
for (const inspector of document.querySelectorAll(".inspector")) {
  const examples = [...inspector.querySelectorAll(".example")];
  const chosen = [...inspector.querySelectorAll("select")];
  const words = inspector.querySelector("input");
  const more = inspector.querySelector("button");
  const page = 12;
  let room = page;
  const show = () => {
    const sought = words.value.trim().toLowerCase();
    let count = 0;
    for (const example of examples) {
      const fits = chosen.every((one) => !one.value || example.dataset[one.dataset.key] === one.value)
        && (!sought || example.textContent.toLowerCase().includes(sought));
      count += fits;
      example.hidden = !fits || count > room;
    }
    inspector.querySelector("[data-count]").textContent = `${count} of ${examples.length} fit, ${Math.min(count, room)} shown`;
    more.hidden = count <= room;
  };
  const again = () => { room = page; show(); };
  chosen.forEach((one) => one.addEventListener("change", again));
  words.addEventListener("input", again);
  more.addEventListener("click", () => { room += page; show(); });
  examples.forEach((example) => near.observe(example));
  inspector.querySelector(".filters").hidden = false;
  show();
}
addEventListener("beforeprint", () => document.querySelectorAll(".example:not([hidden])").forEach(fill));
