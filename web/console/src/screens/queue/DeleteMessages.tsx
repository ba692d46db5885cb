/** Deleting can be undone for ten seconds; what it means for the senders is asked before. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Menu } from "@mantine/core";
import { Button } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";

export function DeleteMessages({
  count,
  className,
  onDelete,
}: {
  count: number;
  className?: string;
  onDelete: (report: boolean) => void;
}) {
  const { t } = useLingui();
  return (
    <Menu position="top-start">
      <Menu.Target>
        <Button kind="danger" icon="trash" className={className} aria-label={t`Delete ${count}`}>
          {count === 1 ? <Trans>Delete</Trans> : <Plural value={count} one="Delete #" other="Delete #" />}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<Icon name="trash" />} onClick={() => onDelete(false)}>
          <Trans>Delete, and tell nobody</Trans>
        </Menu.Item>
        <Menu.Item leftSection={<Icon name="mail" />} onClick={() => onDelete(true)}>
          <Trans>Return to the senders with a report</Trans>
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
