/** Links by which a colleague sets the own password. */
import { run } from "@/api/admin.ts";

export interface Link {
  /** The whole address, with its secret: it is shown this once. */
  readonly link: string;
  readonly address: string;
  readonly expires: string;
  /** Empty: it was not mailed. */
  readonly sent_to: string;
}

/** A new one; a former one of the user opens nothing from then on. ApiError */
export async function makeLink(name: string, mailTo = ""): Promise<Link> {
  return (await run<Link>("user", "password-link", { name, mail_to: mailTo.trim() })).result;
}
