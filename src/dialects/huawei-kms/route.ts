/** The URL to route by: clients ask for versions with a slash at the end, as the links they follow have it. */
export function versionUrl(url: string): string {
  return url.replace(/^\/(v3|v1\.0)\/(?=\?|$)/, '/$1');
}
