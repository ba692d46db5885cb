/** The address that a full name proposes. */

/** Letters that have no mark to take off, and scripts that are written in Latin letters by rule. */
// biome-ignore format: a table
const LETTERS: Readonly<Record<string, string>> = {
  ä: "ae", ö: "oe", ü: "ue", ß: "ss", æ: "ae", œ: "oe", ø: "oe", å: "aa", đ: "d", ð: "d", þ: "th", ł: "l", ħ: "h",
  ı: "i", ĸ: "k", ŋ: "ng", ŧ: "t", ə: "e", ĳ: "ij",
  а: "a", б: "b", в: "v", г: "g", ґ: "g", д: "d", ђ: "dj", е: "e", ё: "yo", є: "ye", ж: "zh", з: "z", и: "i", і: "i",
  ї: "yi", й: "y", ј: "j", к: "k", л: "l", љ: "lj", м: "m", н: "n", њ: "nj", о: "o", п: "p", р: "r", с: "s", т: "t",
  ћ: "c", у: "u", ў: "u", ф: "f", х: "kh", ц: "ts", ч: "ch", џ: "dz", ш: "sh", щ: "shch", ъ: "", ы: "y", ь: "",
  э: "e", ю: "yu", я: "ya",
  α: "a", β: "v", γ: "g", δ: "d", ε: "e", ζ: "z", η: "i", θ: "th", ι: "i", κ: "k", λ: "l", μ: "m", ν: "n", ξ: "x",
  ο: "o", π: "p", ρ: "r", σ: "s", ς: "s", τ: "t", υ: "y", φ: "f", χ: "ch", ψ: "ps", ω: "o",
};

/** "Anna Kovač" -> "anna.kovac"; "Jørgen Łęcki" -> "joergen.lecki". Empty: of such letters no name can be made. */
export function proposal(name: string): string {
  const latin = Array.from(name.toLowerCase().normalize("NFC"), (letter) => {
    const known = LETTERS[letter];
    if (known !== undefined) return known;
    return Array.from(letter.normalize("NFKD").replaceAll(/\p{M}/gu, ""), (bare) => LETTERS[bare] ?? bare).join("");
  });
  return latin
    .join("")
    .replaceAll(/['’ʼ]/g, "")
    .replaceAll(/[^a-z0-9-]+/g, ".")
    .replaceAll(/[.-]*\.[.-]*/g, ".")
    .replaceAll(/^[.-]+|[.-]+$/g, "")
    .slice(0, 64);
}

/** What is typed as address, with the chosen domain where it has none. */
export function fullAddress(typed: string, domain: string): string {
  const text = typed.trim();
  return !text || text.includes("@") || !domain ? text : `${text}@${domain}`;
}
