import { ExternalLink } from "lucide-react";
import { buttonClass } from "@/ui/Button";
import { Card } from "@/ui/Card";

/** A link to the metrics of this process for Prometheus. */
export function MetricsCard() {
  return (
    <Card title="Metrics">
      <p className="text-sm text-quiet">
        This instance serves its metrics at <code className="font-mono text-xs text-text">/metrics</code> for
        Prometheus. The release contains alert rules for Prometheus and a Grafana dashboard.
      </p>
      <a
        href="/metrics"
        target="_blank"
        rel="noreferrer"
        className={buttonClass("outline", "mt-3 self-start")}
      >
        <ExternalLink size={14} aria-hidden="true" />
        Open metrics
      </a>
    </Card>
  );
}
