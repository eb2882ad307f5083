import { api, dataOf, ifMatch } from "./client";
import type {
  Delivery,
  DeliveryDetail,
  DeliveryPage,
  InhibitRule,
  InhibitRuleDraft,
  MessagePreview,
  MessagePreviewDraft,
  MuteTiming,
  MuteTimingDraft,
  Receiver,
  ReceiverDraft,
  Route,
  RouteDraft,
  RoutePreview,
  Silence,
  SilenceDraft,
} from "./types";

/** API calls for silences, receivers, routes, mute timings and deliveries. */

/** The item to update and the version the update is based on. */
export interface Versioned {
  id: number;
  version: number;
}

export async function getSilences(signal: AbortSignal): Promise<Silence[]> {
  return (await dataOf(api.GET("/api/alerts/silences", { signal }))).silences;
}

/** Creates a silence, or updates `before`. */
export function saveSilence(body: SilenceDraft, before: Versioned | null): Promise<Silence> {
  if (!before) return dataOf(api.POST("/api/alerts/silences", { body }));
  const params = { path: { id: before.id }, header: ifMatch(before.version) };
  return dataOf(api.PUT("/api/alerts/silences/{id}", { params, body }));
}

export async function endSilence({ id, version }: Versioned): Promise<void> {
  await dataOf(
    api.DELETE("/api/alerts/silences/{id}", { params: { path: { id }, header: ifMatch(version) } }),
  );
}

export async function getReceivers(signal: AbortSignal): Promise<Receiver[]> {
  return (await dataOf(api.GET("/api/alerts/receivers", { signal }))).receivers;
}

/** Creates a receiver, or updates `before`. Secrets that are missing from `body` keep their value. */
export function saveReceiver(body: ReceiverDraft, before: Versioned | null): Promise<Receiver> {
  if (!before) return dataOf(api.POST("/api/alerts/receivers", { body }));
  const params = { path: { id: before.id }, header: ifMatch(before.version) };
  return dataOf(api.PUT("/api/alerts/receivers/{id}", { params, body }));
}

export async function deleteReceiver({ id, version }: Versioned): Promise<void> {
  const params = { path: { id }, header: ifMatch(version) };
  await dataOf(api.DELETE("/api/alerts/receivers/{id}", { params }));
}

/** Sends a test message and waits a few seconds for the result. */
export function testReceiver(id: number): Promise<DeliveryDetail> {
  return dataOf(api.POST("/api/alerts/receivers/{id}/test", { params: { path: { id } } }));
}

/** The message of an example alert as a receiver would get it. Nothing is sent. */
export function previewMessage(body: MessagePreviewDraft, signal: AbortSignal): Promise<MessagePreview> {
  return dataOf(api.POST("/api/alerts/receivers/preview", { body, signal }));
}

/** Sends the message of a delivery again, as a new delivery. */
export function resendDelivery(id: number): Promise<DeliveryDetail> {
  return dataOf(api.POST("/api/alerts/deliveries/{id}/resend", { params: { path: { id } } }));
}

/** The deliveries of all alerts or of one alert, newest first. */
export function getDeliveries(
  alert: number | undefined,
  cursor: string | undefined,
  signal: AbortSignal,
): Promise<DeliveryPage> {
  const query = { ...(alert === undefined ? {} : { alert }), cursor, limit: 20 };
  return dataOf(api.GET("/api/alerts/deliveries", { params: { query }, signal }));
}

/** The newest deliveries of all receivers. */
export async function getLatestDeliveries(signal: AbortSignal): Promise<Delivery[]> {
  const query = { limit: 100 };
  return (await dataOf(api.GET("/api/alerts/deliveries", { params: { query }, signal }))).deliveries;
}

export function getDelivery(id: number, signal: AbortSignal): Promise<DeliveryDetail> {
  return dataOf(api.GET("/api/alerts/deliveries/{id}", { params: { path: { id } }, signal }));
}

export async function getRoutes(signal: AbortSignal): Promise<Route[]> {
  return (await dataOf(api.GET("/api/alerts/routes", { signal }))).routes;
}

/** Creates a route, or updates `before`. */
export function saveRoute(body: RouteDraft, before: Versioned | null): Promise<Route> {
  if (!before) return dataOf(api.POST("/api/alerts/routes", { body }));
  const params = { path: { id: before.id }, header: ifMatch(before.version) };
  return dataOf(api.PUT("/api/alerts/routes/{id}", { params, body }));
}

export async function deleteRoute({ id, version }: Versioned): Promise<void> {
  const params = { path: { id }, header: ifMatch(version) };
  await dataOf(api.DELETE("/api/alerts/routes/{id}", { params }));
}

/** The receivers that an alert with these labels would reach now. */
export function previewRoutes(labels: Record<string, string>, signal: AbortSignal): Promise<RoutePreview> {
  return dataOf(api.POST("/api/alerts/routes/preview", { body: { labels }, signal }));
}

export async function getMuteTimings(signal: AbortSignal): Promise<MuteTiming[]> {
  return (await dataOf(api.GET("/api/alerts/mute-timings", { signal }))).mute_timings;
}

/** Creates a mute timing, or updates `before`. */
export function saveMuteTiming(body: MuteTimingDraft, before: Versioned | null): Promise<MuteTiming> {
  if (!before) return dataOf(api.POST("/api/alerts/mute-timings", { body }));
  const params = { path: { id: before.id }, header: ifMatch(before.version) };
  return dataOf(api.PUT("/api/alerts/mute-timings/{id}", { params, body }));
}

export async function deleteMuteTiming({ id, version }: Versioned): Promise<void> {
  const params = { path: { id }, header: ifMatch(version) };
  await dataOf(api.DELETE("/api/alerts/mute-timings/{id}", { params }));
}

export async function getInhibitRules(signal: AbortSignal): Promise<InhibitRule[]> {
  return (await dataOf(api.GET("/api/alerts/inhibit-rules", { signal }))).inhibit_rules;
}

/** Creates an inhibition rule, or updates `before`. */
export function saveInhibitRule(body: InhibitRuleDraft, before: Versioned | null): Promise<InhibitRule> {
  if (!before) return dataOf(api.POST("/api/alerts/inhibit-rules", { body }));
  const params = { path: { id: before.id }, header: ifMatch(before.version) };
  return dataOf(api.PUT("/api/alerts/inhibit-rules/{id}", { params, body }));
}

export async function deleteInhibitRule({ id, version }: Versioned): Promise<void> {
  const params = { path: { id }, header: ifMatch(version) };
  await dataOf(api.DELETE("/api/alerts/inhibit-rules/{id}", { params }));
}
