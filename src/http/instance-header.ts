/** The instance a request names: `Instance-ID`, or IBM's older `Bluemix-Instance`; undefined when it names none. */
export function instanceIn(headers: Readonly<Record<string, string | undefined>>): string | undefined {
  return (headers['instance-id'] ?? headers['bluemix-instance'])?.toLowerCase();
}
