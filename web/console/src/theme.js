// Runs before the first paint; build/theme.ts says why. The keys are those of src/app/preferences.ts.
try {
  var theme = localStorage.getItem("theme");
  if (theme !== "light" && theme !== "dark") theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = theme;
  document.documentElement.dataset.mantineColorScheme = theme;
  var density = localStorage.getItem("density");
  if (density === "compact") document.documentElement.dataset.density = density;
} catch {}
