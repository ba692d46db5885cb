/** The control of a field by its widget. */
import type { Field } from "../fields.ts";
import { Choice, LongText, NumberInput, Switch, Text } from "./plain.tsx";
import { Names } from "./Names.tsx";
import { Reference } from "./Reference.tsx";
import { Secret } from "./Secret.tsx";
import { Table } from "./Table.tsx";
import { WithUnit } from "./WithUnit.tsx";

export interface ControlProps {
  readonly field: Field;
  readonly id: string;
  readonly value: unknown;
  readonly onChange: (value: unknown) => void;
  /** Why it cannot be changed; empty if it can. */
  readonly readOnly: string;
  /** Ids of what describes and what labels it. */
  readonly described: string;
  readonly labelled: string;
  readonly wrong: boolean;
}

export function Control(props: ControlProps) {
  switch (props.field.widget) {
    case "switch":
      return <Switch {...props} />;
    case "choice":
      return <Choice {...props} />;
    case "number":
      return <NumberInput {...props} />;
    case "size":
    case "duration":
      return <WithUnit {...props} />;
    case "secret":
      return <Secret {...props} />;
    case "names":
    case "references":
      return <Names {...props} />;
    case "reference":
      return <Reference {...props} />;
    case "table":
      return <Table {...props} />;
    case "long":
      return <LongText {...props} />;
    default:
      return <Text {...props} />;
  }
}
