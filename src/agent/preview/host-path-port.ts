import { isSamePlace, type Place } from "../../names/instance.ts";
import { slugOfPreview } from "../../names/names.ts";
import type { AppOptions } from "../../config/app-options.ts";

/**
 * The places that the administrator's options have for a preview, the one to be preferred first. With ports
 * it is not the app's own host unless they say so: a browser would hand its cookies to every preview.
 */
export function placesOf(
  preview: string,
  domain: string,
  {
    preview_host: shared,
    preview_ports: ports,
  }: Pick<AppOptions, "preview_host" | "preview_ports">,
): Place[] {
  if (ports !== "")
    return numbersIn(ports).map((port) => ({
      scheme: "http",
      host: shared || domain,
      path: "/",
      port,
    }));
  if (shared === "") return [{ scheme: "http", host: `${preview}.${domain}`, path: "/", port: 0 }];
  // Another app may have a branch of that name at the same host; the whole name is nobody else's.
  return [slugOfPreview(preview), preview].map((word) => ({
    scheme: "http",
    host: shared,
    path: `/${word}/`,
    port: 0,
  }));
}

/** The place that the preview has, for as long as it is one of these; else the first that is free. */
export function choosePlace(
  places: Place[],
  current: Place | undefined,
  isFree: (place: Place) => boolean,
): Place | undefined {
  return places.find((place) => current && isSamePlace(place, current)) ?? places.find(isFree);
}

function numbersIn(range: string): number[] {
  const [first = 0, last = 0] = range.split("-").map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
