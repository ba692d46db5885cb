// The icons of the installed console, drawn by the browser that is named from public/assets/icon-1.svg:
//
//     node scripts/icons.mjs /usr/bin/chromium
//
// They are kept in the sources: whoever builds the console needs no browser. Their names have a number, since what lies
// under /assets/ is kept by browsers for ever: a new drawing gets the next one.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [browser] = process.argv.slice(2);
if (!browser) throw new Error("name a browser: node scripts/icons.mjs /usr/bin/chromium");
const assets = fileURLToPath(new URL("../public/assets", import.meta.url));
const bird = readFileSync(join(assets, "icon-1.svg"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "icons-"));

/** `part`: how much of the picture the bird fills; `radius` of the corners, in parts of a whole. */
function draw(name, size, part, radius) {
  const page = join(folder, `${name}.html`);
  const inner = Math.round(size * part);
  writeFileSync(
    page,
    `<!doctype html><style>html,body{margin:0;background:transparent}
     div{width:${size}px;height:${size}px;background:#0f2f33;border-radius:${size * radius}px;display:grid;place-items:center}
     svg{width:${inner}px;height:${inner}px;stroke:#4cc2c4}</style><div>${bird}</div>`,
  );
  const to = join(assets, `${name}.png`);
  const window = `--window-size=${size},${size}`;
  const plain = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1"];
  execFileSync(browser, [
    ...plain,
    "--default-background-color=00000000",
    window,
    `--screenshot=${to}`,
    `file://${page}`,
  ]);
}

draw("icon-192-1", 192, 0.72, 0.2);
draw("icon-512-1", 512, 0.72, 0.2);
// All of it may be cut to a circle: the bird stays within the inner 80 %. W3C Web App Manifest, maskable.
draw("icon-maskable-1", 512, 0.56, 0);
draw("icon-apple-1", 180, 0.66, 0);
rmSync(folder, { recursive: true });
