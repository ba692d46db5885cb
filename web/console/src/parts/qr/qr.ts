/** QR codes, for what is read off a screen or a letter by a phone. Bytes alone, error correction M (15 %).
 *
 * Standards: ISO/IEC 18004:2015 7 (numbers of clauses stand beside the code)
 */

/** Whether each module is dark, row by row; without the quiet zone of four modules around it (6.3.8). */
export type Modules = readonly (readonly boolean[])[];

// Of level M, by version (table 9): codewords of error correction in each block, and blocks.
// biome-ignore format: tables
const CHECK = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26];
// biome-ignore format: tables
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];
const MASKS: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** Null: the text is too long for the versions that a phone reads with ease (666 bytes). */
export function qr(text: string): Modules | null {
  const bytes = new TextEncoder().encode(text);
  const version = CHECK.findIndex((_each, number) => bytes.length <= room(number + 1)) + 1;
  if (!version) return null;
  const words = interleaved(codewords(bytes, version), version);
  // The mask with the least penalty (7.8.3).
  let best: boolean[][] = [];
  let least = Number.POSITIVE_INFINITY;
  for (let mask = 0; mask < MASKS.length; mask++) {
    const made = drawn(words, version, mask);
    const penalty = penaltyOf(made);
    if (penalty < least) [best, least] = [made, penalty];
  }
  return best;
}

/** An SVG path of the dark modules, in a square of `size` with the quiet zone around it. */
export function path(modules: Modules): { readonly d: string; readonly size: number } {
  const runs = modules.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + 4} ${y + 4}h1v1h-1z` : "")));
  return { d: runs.join(""), size: modules.length + 8 };
}

const sizeOf = (version: number) => 17 + 4 * version;

/** Bytes of text that a version holds: mode and count come before them (7.4.5). */
const room = (version: number) => dataWords(version) - (version < 10 ? 2 : 3);

const dataWords = (version: number) =>
  Math.floor(rawModules(version) / 8) - (CHECK[version - 1] ?? 0) * (BLOCKS[version - 1] ?? 0);

/** Modules that no function pattern takes. */
function rawModules(version: number): number {
  let modules = (16 * version + 128) * version + 64;
  if (version > 1) {
    const patterns = Math.floor(version / 7) + 2;
    modules -= (25 * patterns - 10) * patterns - 55;
    if (version > 6) modules -= 36;
  }
  return modules;
}

/** Mode, count, the bytes, a terminator, and padding (7.4). */
function codewords(bytes: Uint8Array, version: number): number[] {
  const bits: number[] = [];
  const put = (value: number, length: number) => {
    for (let bit = length - 1; bit >= 0; bit--) bits.push((value >>> bit) & 1);
  };
  put(4, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  put(0, 4);
  while (bits.length % 8) bits.push(0);
  const words: number[] = [];
  for (let at = 0; at < bits.length; at += 8)
    words.push(bits.slice(at, at + 8).reduce((word, bit) => word * 2 + bit, 0));
  const most = dataWords(version);
  for (let pad = 0xec; words.length < most; pad ^= 0xec ^ 0x11) words.push(pad);
  return words.slice(0, most);
}

/** Blocks with their error correction, word by word of each (7.5, 7.6). */
function interleaved(data: readonly number[], version: number): number[] {
  const [count, check] = [BLOCKS[version - 1] ?? 1, CHECK[version - 1] ?? 10];
  const all = Math.floor(rawModules(version) / 8);
  const short = Math.floor(all / count) - check;
  const longer = all % count;
  const divisor = generator(check);
  let at = 0;
  const blocks = Array.from({ length: count }, (_each, number) => {
    const words = data.slice(at, (at += short + (number >= count - longer ? 1 : 0)));
    return { words, checks: remainder(words, divisor) };
  });
  const made: number[] = [];
  for (let word = 0; word <= short; word++)
    for (const { words } of blocks) if (word < words.length) made.push(words[word] ?? 0);
  for (let word = 0; word < check; word++) for (const { checks } of blocks) made.push(checks[word] ?? 0);
  return made;
}

/** In GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1 (7.5.2). */
function times(x: number, y: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >>> 7) * 0x11d);
    product ^= ((y >>> bit) & 1) * x;
  }
  return product;
}

/** Of Reed-Solomon, without its leading 1 (annex A). */
function generator(degree: number): number[] {
  const made = [...Array<number>(degree - 1).fill(0), 1];
  let root = 1;
  for (let power = 0; power < degree; power++) {
    for (let at = 0; at < degree; at++) made[at] = times(made[at] ?? 0, root) ^ (made[at + 1] ?? 0);
    root = times(root, 2);
  }
  return made;
}

function remainder(words: readonly number[], divisor: readonly number[]): number[] {
  const rest = Array<number>(divisor.length).fill(0);
  for (const word of words) {
    const factor = word ^ (rest.shift() ?? 0);
    rest.push(0);
    for (const [at, each] of divisor.entries()) rest[at] = (rest[at] ?? 0) ^ times(each, factor);
  }
  return rest;
}

function drawn(words: readonly number[], version: number, mask: number): boolean[][] {
  const size = sizeOf(version);
  const dark = Array.from({ length: size }, () => Array<boolean>(size).fill(false));
  const taken = Array.from({ length: size }, () => Array<boolean>(size).fill(false));
  const set = (x: number, y: number, on: boolean) => {
    const [row, fixed] = [dark[y], taken[y]];
    if (row && fixed && x >= 0 && x < size) [row[x], fixed[x]] = [on, true];
  };
  for (let at = 0; at < size; at++) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const [x, y] of [
    [3, 3],
    [size - 4, 3],
    [3, size - 4],
  ] as const) {
    for (let dy = -4; dy <= 4; dy++)
      for (let dx = -4; dx <= 4; dx++) {
        const ring = Math.max(Math.abs(dx), Math.abs(dy));
        set(x + dx, y + dy, ring !== 2 && ring !== 4);
      }
  }
  const places = alignments(version);
  const last = places.length - 1;
  for (const [i, x] of places.entries())
    for (const [j, y] of places.entries()) {
      if ((i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0)) continue;
      for (let dy = -2; dy <= 2; dy++)
        for (let dx = -2; dx <= 2; dx++) set(x + dx, y + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
    }
  formats(set, size, mask);
  if (version >= 7) versions(set, size, version);
  // Two columns at a time from the right, up and down by turns (7.7.3).
  let bit = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++) {
      const y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        const row = dark[y];
        if (!row || taken[y]?.[x]) continue;
        const on = bit < words.length * 8 && (((words[bit >>> 3] ?? 0) >>> (7 - (bit & 7))) & 1) === 1;
        row[x] = on !== MASKS[mask]?.(x, y);
        bit++;
      }
    }
  }
  return dark;
}

/** Centres of alignment patterns (annex E). */
function alignments(version: number): number[] {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2;
  const made = [6];
  for (let at = version * 4 + 10; made.length < count; at -= step) made.splice(1, 0, at);
  return made;
}

type Set = (x: number, y: number, on: boolean) => void;

/** Level and mask, twice (7.9). Level M is 00. */
function formats(set: Set, size: number, mask: number): void {
  let rest = mask;
  for (let at = 0; at < 10; at++) rest = (rest << 1) ^ ((rest >>> 9) * 0x537);
  const bits = ((mask << 10) | rest) ^ 0x5412;
  const on = (bit: number) => ((bits >>> bit) & 1) === 1;
  for (let at = 0; at <= 5; at++) set(8, at, on(at));
  set(8, 7, on(6));
  set(8, 8, on(7));
  set(7, 8, on(8));
  for (let at = 9; at < 15; at++) set(14 - at, 8, on(at));
  for (let at = 0; at < 8; at++) set(size - 1 - at, 8, on(at));
  for (let at = 8; at < 15; at++) set(8, size - 15 + at, on(at));
  set(8, size - 8, true);
}

/** The version, twice (7.10). */
function versions(set: Set, size: number, version: number): void {
  let rest = version;
  for (let at = 0; at < 12; at++) rest = (rest << 1) ^ ((rest >>> 11) * 0x1f25);
  const bits = (version << 12) | rest;
  for (let at = 0; at < 18; at++) {
    const [a, b] = [size - 11 + (at % 3), Math.floor(at / 3)];
    set(a, b, ((bits >>> at) & 1) === 1);
    set(b, a, ((bits >>> at) & 1) === 1);
  }
}

const LIKE_FINDERS = ["10111010000", "00001011101"];

/** What a reader may stumble over (7.8.3.1). */
function penaltyOf(modules: Modules): number {
  const size = modules.length;
  const rows = modules.map((row) => row.map((dark) => (dark ? "1" : "0")).join(""));
  const columns = modules.map((_row, x) => rows.map((row) => row[x]).join(""));
  let penalty = 0;
  for (const line of [...rows, ...columns]) {
    for (const run of line.match(/0{5,}|1{5,}/g) ?? []) penalty += run.length - 2;
    for (let at = 0; at + 11 <= size; at++) if (LIKE_FINDERS.includes(line.slice(at, at + 11))) penalty += 40;
  }
  for (let y = 0; y + 1 < size; y++)
    for (let x = 0; x + 1 < size; x++) {
      const four = `${rows[y]?.slice(x, x + 2)}${rows[y + 1]?.slice(x, x + 2)}`;
      if (four === "0000" || four === "1111") penalty += 3;
    }
  const dark = rows.join("").replaceAll("0", "").length;
  penalty += 10 * Math.floor(Math.abs((dark * 100) / (size * size) - 50) / 5);
  return penalty;
}
