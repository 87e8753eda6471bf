// Small things for pages that are made by hand.

export function find(id) {
  return document.getElementById(id);
}

// An element with properties, and children: nodes or texts. Properties that begin with aria- or data-
// are attributes.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(aria|data)-|^for$|^role$/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

// Sets a text only when it is another, so that a screen reader is not told again.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Makes the children of an element those given, in that order, and moves none that stands right:
// one that has the focus keeps it.
export function setChildren(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
}

export function hueOf(user) {
  let hash = 7;
  for (const letter of user) hash = (hash * 31 + letter.codePointAt(0)) % 3600;
  return hash / 10;
}

export function avatar(user, { small = false, away = false } = {}) {
  const classes = ["avatar", small && "small", away && "away"].filter(Boolean).join(" ");
  const face = make("span", { className: classes, title: user, "aria-hidden": "true" });
  face.textContent = user.slice(0, small ? 1 : 2).toUpperCase();
  face.style.setProperty("--hue", hueOf(user));
  return face;
}

export function listOf(names) {
  return new Intl.ListFormat("en", { type: "conjunction" }).format(names);
}
