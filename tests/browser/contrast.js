// The texts of the page whose contrast with what is behind them is below 4.5 (WCAG 2.2, 1.4.3), and that contrast.
() => {
  const channels = colour => colour.match(/[\d.]+/g).map(Number);
  const linear = c => c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = channels(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const texts = "h1, h2, h3, p, td, th, caption, figcaption, a, button, summary, li, footer, label, legend";
  return [...document.querySelectorAll(texts)]
    .filter(node => node.textContent.trim() && node.getBoundingClientRect().width)
    .map(node => {
      const [one, other] = [luminance(channels(getComputedStyle(node).color)), luminance(behind(node))];
      return [node.textContent.trim().slice(0, 40), (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)];
    })
    .filter(([, contrast]) => contrast < 4.5);
}
