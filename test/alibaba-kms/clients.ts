import { type AlibabaWorld, load } from './alibaba-world.js';

// biome-ignore lint/suspicious/noExplicitAny: clients and answers of every shape
type Any = any;
type Parameters = Readonly<Record<string, unknown>>;

/** An unmodified client: asks, and answers with the members of the wire; what it throws has the code on it. */
export interface Client {
  readonly ask: (action: string, parameters: Parameters) => Promise<Any>;
  /** The code of Alibaba in what it throws. */
  readonly codeIn: (thrown: Any) => string;
}

const plainCode = (thrown: Any): string => thrown.code;

/** The clients by name, each as its documentation makes it. */
export const CLIENTS: Readonly<Record<string, (w: AlibabaWorld, secret?: string) => Client>> = {
  'kms20160120 1.2.0': kms20160120,
  'openapi-client 0.4.15, query': (w, secret) => openapi(w, 'query', secret),
  'openapi-client 0.4.15, form': (w, secret) => openapi(w, 'body', secret),
  'pop-core 1.8.0, GET': (w, secret) => popCore(w, 'GET', secret),
  'pop-core 1.8.0, POST': (w, secret) => popCore(w, 'POST', secret),
};

function kms20160120(w: AlibabaWorld, secret = w.accessKey.access_key_secret): Client {
  const kms = load('@alicloud/kms20160120');
  const { Config } = load('@alicloud/rpc-client');
  const client = new kms.default(
    new Config({
      accessKeyId: w.accessKey.access_key_id,
      accessKeySecret: secret,
      regionId: 'local',
      protocol: 'http',
      endpoint: w.endpoint,
    }),
  );
  const lower = (name: string) => name.slice(0, 1).toLowerCase() + name.slice(1);
  return {
    async ask(action, parameters) {
      const members = Object.entries(parameters).map(([name, value]) => [lower(name), value]);
      const request = new kms[`${action}Request`](Object.fromEntries(members));
      return (await client[lower(action)](request)).toMap();
    },
    codeIn: (thrown) => thrown.code.replace(/Error$/, ''), // it puts the word behind every code
  };
}

function openapi(w: AlibabaWorld, where: 'query' | 'body', secret = w.accessKey.access_key_secret): Client {
  const { default: OpenApi, Config, Params, OpenApiRequest } = load('@alicloud/openapi-client');
  const { RuntimeOptions } = load('@alicloud/tea-util');
  const client = new OpenApi(
    new Config({
      accessKeyId: w.accessKey.access_key_id,
      accessKeySecret: secret,
      regionId: 'local',
      protocol: 'HTTP',
      endpoint: w.endpoint,
    }),
  );
  return {
    async ask(action, parameters) {
      const params = new Params({
        action,
        version: '2016-01-20',
        protocol: 'HTTP',
        method: 'POST',
        authType: 'AK',
        style: 'RPC',
        pathname: '/',
        reqBodyType: 'formData',
        bodyType: 'json',
      });
      return (await client.callApi(params, new OpenApiRequest({ [where]: parameters }), new RuntimeOptions({}))).body;
    },
    codeIn: plainCode,
  };
}

function popCore(w: AlibabaWorld, method: 'GET' | 'POST', secret = w.accessKey.access_key_secret): Client {
  const RPC = load('@alicloud/pop-core');
  const client = new RPC({
    accessKeyId: w.accessKey.access_key_id,
    accessKeySecret: secret,
    endpoint: w.world.url,
    apiVersion: '2016-01-20',
  });
  return {
    ask: (action, parameters) => client.request(action, parameters, { method, timeout: 20_000 }),
    codeIn: plainCode,
  };
}
