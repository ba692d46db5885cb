import { type Page, read } from "@/api/admin.ts";
import type { PageRequest } from "@/parts/list/model.ts";

export interface ConnectionRow {
  readonly id: string;
  readonly service: string;
  readonly user: string;
  readonly address: string;
  readonly tls: string;
  readonly cipher: string;
  readonly since: string;
  /** Seconds since the client last said something. */
  readonly idle: number;
  readonly command: string;
  readonly received: number;
  readonly sent: number;
  readonly process: string;
}

export interface Totals {
  readonly total: number;
  readonly services: Readonly<Record<string, number>>;
}

const ADDRESS = /^[0-9a-f.:]+(?:\/\d{1,3})?$/i;

/** An IP address or a network, as far as it is one by now; else part of a user's name. */
export function sought(text: string): { user?: string; address?: string } {
  const word = text.trim();
  if (!word) return {};
  return ADDRESS.test(word) && /[.:]/.test(word) ? { address: word } : { user: word };
}

/** The server lists by user or by exact network; what is half an address is compared here. */
export async function connections(request: PageRequest, tell: (totals: Totals) => void, signal: AbortSignal) {
  const { search, sort, filters, limit } = request;
  const { user, address } = sought(search);
  const whole =
    address !== undefined &&
    (/^\d+(\.\d+){3}(\/\d+)?$/.test(address) || /^[0-9a-f:]*::?[0-9a-f:]*(\/\d+)?$/i.test(address));
  const query = { user, address: whole ? address : "", service: filters.service, sort, limit: Math.max(limit, 500) };
  const page = await read<Page<ConnectionRow> & Totals>("connection", "list", query, signal);
  tell(page);
  if (address === undefined || whole) return { ...page, more: "" };
  const items = page.items.filter((row) => row.address.startsWith(address));
  return { items, more: "", total: items.length };
}
