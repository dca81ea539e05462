import { Controller, Get, Header } from '@nestjs/common';
import { openApiDocument, openApiPage } from './openapi.js';

/** The description of the API, for machines and for people. */
@Controller('docs')
export class DocsController {
  readonly #document = JSON.stringify(openApiDocument());
  readonly #page = openApiPage();

  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  @Header('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'")
  page(): string {
    return this.#page;
  }

  @Get('openapi.json')
  @Header('Content-Type', 'application/json; charset=utf-8')
  document(): string {
    return this.#document;
  }
}
