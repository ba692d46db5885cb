/** What has been typed of a new user and is not added. It is kept when the form is closed by a slip and opened again. */
import { Store } from "@/api/store.ts";
import type { Shared } from "./alike.ts";
import type { Link } from "./link.ts";

/** How the user comes by a password. A generated one is shown, and on the page that follows once more. */
export type Way = "link" | "generated" | "typed";

export interface Draft {
  readonly fullName: string;
  /** Null: as the full name proposes. */
  readonly name: string | null;
  /** Null: the first that there is. */
  readonly domain: string | null;
  readonly way: Way;
  /** Where the link is mailed to; empty: nowhere. */
  readonly mailTo: string;
  readonly password: string;
  /** The one whose values the new user gets, and what of them not. */
  readonly template: string;
  readonly withoutGifts: readonly string[];
  readonly colleague: string;
  /** What the colleague has, and of that, what the new user is not to get. */
  readonly shared: readonly Shared[];
  readonly without: readonly string[];
}

export const BLANK: Draft = {
  fullName: "",
  name: null,
  domain: null,
  way: "link",
  mailTo: "",
  password: "",
  template: "",
  withoutGifts: [],
  colleague: "",
  shared: [],
  without: [],
};

export const draft = new Store<Draft>(BLANK);

/** A domain that was chosen is nothing that would be missed. */
export function begun(one: Draft): boolean {
  return !!(one.fullName || one.name || one.password || one.mailTo || one.colleague || one.template);
}

addEventListener("beforeunload", (event) => {
  if (begun(draft.get())) event.preventDefault();
});

/** Who was added last, for the page that says so; it is gone with the page, and so is the password. */
export interface Added {
  readonly address: string;
  /** One that was made here; empty: the administrator knows what was typed. */
  readonly password: string;
  /** By which the colleague sets the password. */
  readonly link: Link | null;
  /** What was to be as with a colleague and was refused. */
  readonly refused: readonly string[];
}

export const added = new Store<Added | null>(null);
