/** What opens over every screen, fetched behind it: the search, the password once more, the end of a session. */
import { Expired } from "./Expired.tsx";
import { Palette } from "./palette/Palette.tsx";
import { Proof } from "./Proof.tsx";

export default function Dialogs() {
  return (
    <>
      <Palette />
      <Expired />
      <Proof />
    </>
  );
}
