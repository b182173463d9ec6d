/** Where packages come from: what both installers are told, each in its own words. */
export interface PackageSources {
  index: string;
  extraIndex: string;
  proxy: string;
  caFile: string;
}
