import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { Plural, Trans } from "@lingui/react/macro";
import { cleanup, render } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";

afterEach(cleanup);

const drawn = (node: React.ReactNode) => render(<I18nProvider i18n={i18n}>{node}</I18nProvider>).container.innerHTML;
const escaped = (text: string) => text.replaceAll("<", "&lt;").replaceAll(">", "&gt;");

test.each(["<script>alert(1)</script>", "<0>spoofed</0>", "a <1/> b", "<img src=x>"])(
  "%s stays as it is",
  (subject) => {
    expect(
      drawn(
        <Trans>
          No message <b>called</b> {subject}
        </Trans>,
      ),
    ).toBe(`No message <b>called</b> ${escaped(subject)}`);
    expect(
      drawn(
        <Trans>
          Inside of <b>{subject}</b>
        </Trans>,
      ),
    ).toBe(`Inside of <b>${escaped(subject)}</b>`);
  },
);

test("counts and plain values are as before", () => {
  const name = "anna";
  expect(drawn(<Plural value={2} one="# line" other="# lines" />)).toBe("2 lines");
  expect(drawn(<Trans>Hello {name}</Trans>)).toBe("Hello anna");
});
