import { bucketText } from "@/charts/axis";
import { type CourseProps, spotText } from "@/charts/course";
import { TimeTable } from "@/charts/TimeTable";
import { bucketLength } from "@/lib/range";

/** Both periods as a table. */
export function CourseTable({ later, earlier, period, unit }: CourseProps) {
  return (
    <TimeTable
      label="Both periods as a table"
      rows={later.map((spot, index) => ({ ...spot, before: earlier[index]?.value }))}
      at={({ time }) => time}
      time={({ time }) => bucketText(time, time + bucketLength(period), period)}
      columns={[
        { key: "before", head: "Earlier", cell: ({ before }) => spotText(unit, before), look: "text-quiet" },
        { key: "value", head: "Later", cell: ({ value }) => spotText(unit, value) },
      ]}
    />
  );
}
