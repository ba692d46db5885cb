/** What a person likes: kept on this device at once, and with the session where the server keeps it. */
import { http, me } from "@/api/session.ts";
import { Store } from "@/api/store.ts";

export type Theme = "system" | "light" | "dark";
export type Density = "normal" | "compact";

const KEYS = { theme: "theme", density: "density", language: "language" } as const;

function kept(key: keyof typeof KEYS): string {
  try {
    return localStorage.getItem(KEYS[key]) ?? "";
  } catch {
    return "";
  }
}

function keep(key: keyof typeof KEYS, value: string): void {
  try {
    localStorage.setItem(KEYS[key], value);
  } catch {
    // Private windows may refuse; the choice then lasts as long as the page.
  }
}

const themes: readonly string[] = ["light", "dark"];
export const theme = new Store<Theme>(themes.includes(kept("theme")) ? (kept("theme") as Theme) : "system");
export const density = new Store<Density>(kept("density") === "compact" ? "compact" : "normal");
export const sidebar = new Store<"wide" | "narrow">(localStorage.getItem("sidebar") === "narrow" ? "narrow" : "wide");

const dark = () => matchMedia("(prefers-color-scheme: dark)");

function paint(): void {
  const chosen = theme.get();
  const shown = chosen === "system" ? (dark().matches ? "dark" : "light") : chosen;
  const { dataset } = document.documentElement;
  dataset.theme = shown;
  dataset.mantineColorScheme = shown;
  if (density.get() === "compact") dataset.density = "compact";
  else delete dataset.density;
}

/** Once, at the start: follows the system's theme, and what the server remembers. */
export function begin(): void {
  paint();
  dark().addEventListener("change", paint);
  me.subscribe(() => {
    const server = me.get()?.density;
    if (!kept("density") && (server === "compact" || server === "normal")) density.set(server);
    paint();
  });
}

export function setTheme(chosen: Theme): void {
  theme.set(chosen);
  keep("theme", chosen);
  paint();
}

/** The other one of light and dark, as one sees it now. */
export function switchTheme(): void {
  setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
}

export function setDensity(chosen: Density = density.get() === "compact" ? "normal" : "compact"): void {
  density.set(chosen);
  keep("density", chosen);
  paint();
  remember({ density: chosen });
}

export function setSidebar(chosen: "wide" | "narrow"): void {
  sidebar.set(chosen);
  localStorage.setItem("sidebar", chosen);
}

export const languageKept = (): string => kept("language") || (me.get()?.language ?? "");

export function keepLanguage(chosen: string): void {
  keep("language", chosen);
  remember({ language: chosen });
}

/** On the server too, so that the next device knows; it is no loss if that fails. */
function remember(change: { density?: string; language?: string }): void {
  if (me.get()) void http.call("PATCH", "/api/session", { body: change, alone: false }).catch(() => undefined);
}
