/** Languages of the console: catalogs are fetched when they are needed. */
import { i18n, type Messages } from "@lingui/core";
import { type Catalog, speaks } from "@/api/said.ts";
import { keepLanguage, languageKept } from "./preferences.ts";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

const CATALOGS: Record<Language, () => Promise<{ messages: Messages }>> = {
  en: () => import("../texts/en.po"),
  de: () => import("../texts/de.po"),
};

/** What the server says, which is English, in another language; of each that is not. */
const SAID: Partial<Record<Language, () => Promise<Catalog>>> = {
  de: () => import("../texts/server/german.ts").then((part) => part.catalog),
};

export function preferred(): Language {
  const wanted = [languageKept(), ...navigator.languages].map((tag) => tag.slice(0, 2).toLowerCase());
  return (wanted.find((tag) => tag in LANGUAGES) as Language | undefined) ?? "en";
}

export async function speak(language: Language, keep = false): Promise<void> {
  const [{ messages }, said] = await Promise.all([CATALOGS[language](), SAID[language]?.()]);
  speaks(said);
  i18n.loadAndActivate({ locale: language, messages });
  document.documentElement.lang = language;
  if (keep) keepLanguage(language);
}
