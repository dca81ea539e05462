/** The form of a UUID (RFC 9562), of whichever version, in whichever case. */
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether the text has the form of a UUID. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** The same, in the one spelling that we make ourselves: lower case. */
export function isLowerCaseUuid(text: string): boolean {
  return isUuid(text) && text === text.toLowerCase();
}
