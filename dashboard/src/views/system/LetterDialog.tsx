import { useQuery } from "@tanstack/react-query";
import { getDeadLetter } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { exact, plural } from "@/lib/format";
import { Drawer } from "@/ui/Drawer";
import { ErrorState, SkeletonRows } from "@/ui/states";
import { Fact, Facts } from "./Facts";

/** The details of a dead letter. */
export function LetterDialog({ id, onClose }: { id: string | null; onClose: () => void }) {
  return (
    <Drawer title="Dead letter" open={id !== null} onClose={onClose}>
      {id !== null && <Letter id={id} />}
    </Drawer>
  );
}

function Letter({ id }: { id: string }) {
  const query = useQuery({
    queryKey: keys.deadLetters.one(id),
    queryFn: ({ signal }) => getDeadLetter(id, signal),
    refetchInterval: false,
  });
  if (query.error) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <SkeletonRows rows={4} />;
  const letter = query.data;
  return (
    <div className="flex flex-col gap-4">
      <Facts>
        <Fact name="Error">{letter.error}</Fact>
        <Fact name="Reason">{letter.reason}</Fact>
        <Fact name="Tried">{plural(letter.deliveries, "time")}</Fact>
        <Fact name="Failed">{exact(letter.failed_at)}</Fact>
        <Fact name="Entry">{letter.origin_id}</Fact>
      </Facts>
      <section>
        <h3 className="mb-2 text-xs font-medium text-quiet">Original fields</h3>
        <dl className="flex flex-col gap-2 text-sm">
          {letter.fields.map(({ name, value, base64 }) => (
            <div key={name}>
              <dt className="text-quiet">{base64 ? `${name} (not UTF-8, base64)` : name}</dt>
              <dd
                dir="auto"
                className="rounded-md bg-raised px-3 py-2 whitespace-pre-wrap [overflow-wrap:anywhere]"
              >
                {base64 ?? value}
              </dd>
            </div>
          ))}
        </dl>
      </section>
    </div>
  );
}
