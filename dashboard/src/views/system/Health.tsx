import { CircleAlert, CircleCheck } from "lucide-react";

interface HealthProps {
  name: string;
  healthy: boolean;
  /** A short status, such as "connected". */
  state: string;
  kind?: string;
  /** The error of an unhealthy component. */
  detail?: string | null | undefined;
}

/** A component and its health. */
export function Health({ name, healthy, state, kind, detail }: HealthProps) {
  const Icon = healthy ? CircleCheck : CircleAlert;
  return (
    <li className="flex min-w-0 items-start gap-2">
      <Icon
        size={16}
        aria-label={healthy ? "Healthy" : "Needs attention"}
        className={healthy ? "mt-0.5 shrink-0 text-positive" : "mt-0.5 shrink-0 text-negative"}
      />
      <span className="min-w-0 flex-1 [overflow-wrap:anywhere]">
        <span className="font-medium">{name}</span> {kind && <span className="text-quiet">{kind}</span>}
        {detail && <span className="block text-xs text-quiet">{detail}</span>}
      </span>
      <span className="tabular shrink-0 text-right text-quiet">{state}</span>
    </li>
  );
}
