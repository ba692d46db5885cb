/** What `status` tells. */
export interface Status {
  readonly version: string;
  readonly started: string;
  readonly waiting: number;
  readonly held: number;
  readonly free: number;
  /** enough, low, full or read-only. */
  readonly space: string;
  readonly attention: readonly { level: string; text: string }[];
  readonly services: readonly { service: string; state: string }[];
  readonly processes: readonly { name: string; memory: number }[];
}

/** `smtp/max-message-size: text` is about that setting. */
export const settingOf = (text: string): string => /^([a-z][a-z0-9-]*(?:\/[a-z0-9-]+)+): /.exec(text)?.[1] ?? "";
