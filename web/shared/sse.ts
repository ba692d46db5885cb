/** The format of server-sent events, read from pieces of any size. Standards: HTML Living Standard 9.2.6. */

export interface SentEvent {
  readonly topic: string;
  readonly id: string;
  readonly data: string;
}

/** A server that never ends an event must not fill the memory of the browser. */
const MOST = 8 << 20;

export class EventParser {
  private rest = "";
  private topic = "";
  private data: string[] = [];
  /** Of the last event, for Last-Event-ID. */
  id = "";

  feed(text: string): SentEvent[] {
    const parts = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = parts.pop() ?? "";
    if (this.rest.length > MOST) throw new Error("an event is too long");
    const made: SentEvent[] = [];
    for (const line of parts) {
      if (line === "") {
        if (this.data.length) made.push({ topic: this.topic || "message", id: this.id, data: this.data.join("\n") });
        this.topic = "";
        this.data = [];
      } else {
        this.field(line);
      }
    }
    return made;
  }

  private field(line: string): void {
    const at = line.indexOf(":");
    const name = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
    if (name === "event") this.topic = value;
    else if (name === "data") this.data.push(value);
    else if (name === "id" && !value.includes("\0")) this.id = value;
  }
}
