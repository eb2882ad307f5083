import { Button } from "@/ui/Button";
import { cutAt, type Mistake } from "./mistake";

interface QueryMistakeProps {
  query: string;
  mistake: Mistake;
  onGo: (position: number) => void;
}

/** A syntax error of a query with its position. */
export function QueryMistake({ query, mistake: { position, message }, onGo }: QueryMistakeProps) {
  return (
    <div role="alert" className="-mt-2 flex flex-col items-start gap-1.5 text-sm">
      {position !== null && <Marked query={query} position={position} />}
      <p>
        ▼ {position !== null && <span className="tabular">Character {position}: </span>}
        {message}
      </p>
      {position !== null && <Button onClick={() => onGo(position)}>Show position</Button>}
    </div>
  );
}

function Marked({ query, position }: { query: string; position: number }) {
  const [before, at, after] = cutAt(query, position);
  return (
    <p dir="auto" className="font-mono text-xs [overflow-wrap:anywhere] whitespace-pre-wrap text-quiet">
      {before}
      <mark className="rounded-sm bg-negative/25 px-0.5 font-semibold text-text">{at || " "}</mark>
      {after}
    </p>
  );
}
