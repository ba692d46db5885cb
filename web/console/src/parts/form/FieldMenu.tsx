/** What else there is to know of a setting, and to do with it. Fetched by itself: records have no such menu. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Menu } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { toast } from "@/api/operations.ts";
import { type GuidePlace, guidePlace, toGuide } from "@/app/guide.ts";
import { IconButton } from "../base/Button.tsx";
import { Icon } from "../base/Icon.tsx";
import { current, useForm } from "./context.ts";
import type { Field } from "./fields.ts";
import css from "./Form.module.css";
import { command, written } from "./review.ts";

export default function FieldMenu({ field }: { field: Field }) {
  const { t } = useLingui();
  const form = useForm();
  const { path, schema } = field;
  const standard = written(schema.default);
  const place = guidePlace(path);
  const copy = async (text: string) => {
    await navigator.clipboard.writeText(text).catch(() => undefined);
    toast(t`Copied: ${text}`);
  };
  const isSet = path in form.edits ? form.edits[path] !== null : form.values[path]?.set;
  return (
    <Menu position="bottom-end" width={320}>
      <Menu.Target>
        <IconButton icon="more" label={t`More about ${field.title}`} className={css.menu} />
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <code>{path}</code>
          {schema["x-mission"] && ` · ${schema["x-mission"]}`}
          {schema["x-since"] && ` · ${t`since ${schema["x-since"]}`}`}
        </Menu.Label>
        {field.widget !== "secret" && field.widget !== "table" && !form.readOnly && (
          <Menu.Item leftSection={<Icon name="undo" />} disabled={!isSet} onClick={() => form.edit(path, null)}>
            {standard === "" ? (
              <Trans>Back to the default (empty)</Trans>
            ) : (
              <Trans>Back to the default: {standard}</Trans>
            )}
          </Menu.Item>
        )}
        <Menu.Item leftSection={<Icon name="copy" />} onClick={() => void copy(path)}>
          <Trans>Copy the name of the setting</Trans>
        </Menu.Item>
        {place && <GuideItem place={place} />}
        {field.widget !== "secret" && field.widget !== "table" && (
          <Menu.Item
            leftSection={<Icon name="code" />}
            onClick={() => void copy(command(path, current(form, path, schema.default)))}
          >
            <Trans>Copy as a command</Trans>
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}

function GuideItem({ place }: { place: GuidePlace }) {
  const navigate = useNavigate();
  return (
    <Menu.Item
      leftSection={<Icon name="help" />}
      onClick={() => void navigate({ to: "/help", search: toGuide(place) as never })}
    >
      <Trans>What the guide says</Trans>
    </Menu.Item>
  );
}
