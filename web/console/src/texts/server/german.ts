/** What the server says, in German: a part of its own, fetched by who reads German. */
import { catalogOf } from "./recognise.ts";
import { messages } from "./de.po";

// 4.2 GB, as octets_in_words writes it.
const figure = (text: string) => (/^\d+\.\d+(?: [kKMGT]?B)?$/.test(text) ? text.replace(".", ",") : text);

export const catalog = catalogOf(messages as Record<string, string>, figure);
