import { expect, test } from "vitest";
import { messages } from "./de.po";
import { catalogOf } from "./recognise.ts";

const FILE = messages as Record<string, string>;
const same = (text: string) => text;
const PLACE = /\{(\w+)\}/g;

const small = catalogOf(
  {
    Disk: "Festplatte",
    Queue: "Warteschlange",
    "{free} of {total} are free in {folder}.{soon}": "In {folder} sind {free} von {total} frei.{soon}",
    " It is full in {left}.": " Voll in {left}.",
    "{number} days": "{number} Tagen",
    "There is no {what} '{name}'{hint}": "Nicht da: {what} „{name}“{hint}",
    "; did you mean '{same}'?": "; meinten Sie „{same}“?",
    "{line} is {old}": "{line} ist {old}",
    " and {number} more": " und {number} weitere",
    "{names} can be reached.": "{names} sind erreichbar.",
    "make {named}": "make {named}",
    "1 administrator": "1 Verwalter",
    "Start it.": "Starten Sie ihn.",
  },
  (text) => text.replace(".", ","),
);

test("values stand in the translation, in its order, in its words", () => {
  expect(small.say("4.2 GB of 10.0 GB are free in /srv. It is full in 3 days.")).toBe(
    "In /srv sind 4,2 GB von 10,0 GB frei. Voll in 3 Tagen.",
  );
  expect(small.say("There is no user 'anan'; did you mean 'anna'?")).toBe("Nicht da: user „anan“; meinten Sie „anna“?");
});

test("a phrase that became a sentence by its full stop is known", () => {
  expect(small.say("1 administrator.")).toBe("1 Verwalter.");
});

test("what is hung on the end of a list of values is put into words", () => {
  expect(small.say("a, b and 7 more can be reached.")).toBe("a, b und 7 weitere sind erreichbar.");
});

test("sentences that were joined are taken apart, and what is unknown stays", () => {
  expect(small.say("Disk: Start it.")).toBe("Festplatte: Starten Sie ihn.");
  expect(small.say("Start it. Somebody said so.")).toBe("Starten Sie ihn. Somebody said so.");
  expect(small.say("Somebody said so. Start it.")).toBe("Somebody said so. Starten Sie ihn.");
  expect(small.say("Nobody knows this text.")).toBe("Nobody knows this text.");
});

test("a text that fits nearly everything is taken only where its values are known", () => {
  expect(small.say("The mailbox is gone")).toBe("The mailbox is gone");
  expect(small.say("3 days is 4")).toBe("3 Tagen ist 4");
});

test("a name that is a title by chance stays a name", () => {
  expect(small.say("There is no folder 'Queue'")).toBe("Nicht da: folder „Queue“");
});

test("words that have to be typed stay as they are", () => {
  expect(small.say("make 1 administrator")).toBe("make 1 administrator");
});

test("what is hung on a sentence by a semicolon is put into words, with the sentence in it", () => {
  expect(catalogOf(FILE, same).say("2 folders are in order; self-check 3 days ago: 2 folders were checked.")).toBe(
    "2 Ordner sind in Ordnung; Selbstprüfung vor 3 Tagen: 2 Ordner wurden geprüft.",
  );
});

test("a very long text is not looked at", () => {
  const long = "x ".repeat(3000);
  expect(small.say(long)).toBe(long);
});

test("a hostile text costs no time", () => {
  const all = catalogOf(FILE, same);
  const began = performance.now();
  for (const part of ["is ", "a: b. ", "'x' is not ", ". ; : , "]) all.say(part.repeat(2900 / part.length));
  expect(performance.now() - began).toBeLessThan(2000);
});

/** Values that no text has. */
const sample = (name: string) => `x-${name.length}-${name}-7`;

test("each text of the server is recognised with its values in it", () => {
  const german = catalogOf(FILE, same);
  const wrong: string[] = [];
  for (const [text, said] of Object.entries(FILE)) {
    const english = text.replace(PLACE, (_, name: string) => sample(name));
    const want = said.replace(PLACE, (_, name: string) => sample(name));
    const letters = text.replace(PLACE, "").replace(/[^a-z]/gi, "").length;
    const got = letters < 6 ? want : german.say(english);
    if (got !== want) wrong.push(`${english}\n  ${got}\n  ${want}`);
  }
  expect(wrong).toEqual([]);
});
