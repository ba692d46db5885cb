/** What a mailbox holds, folder by folder, and what work on it tells. */
export interface FolderSize {
  readonly folder: string;
  readonly messages: number;
  readonly size: number;
  readonly deleted_messages: number;
  readonly deleted_size: number;
}

export interface FolderLine {
  readonly folder: string;
  readonly messages: number;
  readonly problems: readonly string[];
  readonly repaired: readonly string[];
}

export interface Sums {
  readonly messages: number;
  readonly size: number;
  readonly deletedMessages: number;
  readonly deletedSize: number;
}

export function sums(folders: readonly FolderSize[]): Sums {
  return folders.reduce(
    (sum, each) => ({
      messages: sum.messages + each.messages,
      size: sum.size + each.size,
      deletedMessages: sum.deletedMessages + each.deleted_messages,
      deletedSize: sum.deletedSize + each.deleted_size,
    }),
    { messages: 0, size: 0, deletedMessages: 0, deletedSize: 0 },
  );
}

/** Where a folder stands in the tree, and what it is called there: `Work/2026` is "2026" on the second level. */
export function placed(folder: string): { readonly depth: number; readonly name: string } {
  const parts = folder.split("/");
  return { depth: parts.length - 1, name: parts.at(-1) ?? folder };
}

/** How far work on one mailbox has come: it goes folder by folder, and the server tells each that is done. */
export function share(done: number, folders: number): number {
  return folders ? Math.min(1, done / folders) : 0;
}
