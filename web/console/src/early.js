// Runs before the first paint, while the shell is still on its way; build/early.ts says why. Keys are those of
// src/app/preferences.ts, languages those of src/app/language.ts, the request is that of src/api/session.ts.
var kept = function (key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
};
var theme = kept("theme");
if (theme !== "light" && theme !== "dark") theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
document.documentElement.dataset.theme = theme;
document.documentElement.dataset.mantineColorScheme = theme;
if (kept("density") === "compact") document.documentElement.dataset.density = "compact";

window.sessionAsked = fetch("/api/session", {
  headers: { accept: "application/json" },
  credentials: "same-origin",
  cache: "no-store",
});
window.sessionAsked.catch(function () {});

(function (parts) {
  var languages = [kept("language") || ""].concat(navigator.languages).map(function (tag) {
    return tag.slice(0, 2).toLowerCase();
  });
  var language = languages.find(function (tag) {
    return tag === "en" || tag === "de";
  });
  var screen = location.pathname.split("/")[1] || "dashboard";
  [language || "en", screen].forEach(function (word) {
    (Object.hasOwn(parts, word) ? parts[word] : []).forEach(function (file) {
      var link = document.createElement("link");
      var style = file.endsWith(".css");
      link.rel = style ? "preload" : "modulepreload";
      if (style) link.as = "style";
      link.crossOrigin = "";
      link.href = "/assets/" + file;
      document.head.append(link);
    });
  });
})(__PARTS__);
