// The name under which nginx keeps a guest's cart: "<SHA-256 of the guest's secret>:<cart_v>".
// Empty: this request is not for the cache. The shop makes the same key and refuses to be cached under another.

import crypto from 'crypto';

function cookies(r) {
  const found = {};
  (r.headersIn['Cookie'] || '').split(';').forEach(function (part) {
    const at = part.indexOf('=');
    if (at > 0) found[part.slice(0, at).trim()] = part.slice(at + 1).trim();
  });
  return found;
}

function key(r) {
  if ((r.method !== 'GET' && r.method !== 'HEAD') || r.variables.args) return '';
  if (r.headersIn['X-Session-Token'] || r.headersIn['Cart-Session']) return '';
  const sent = cookies(r);
  if (sent['sessionid'] || sent['__Host-sessionid']) return '';
  const secret = sent['__Host-cart_session'] || sent['cart_session'];
  if (!secret || !/^[0-9]{1,19}$/.test(sent['cart_v'] || '')) return '';
  return crypto.createHash('sha256').update(secret).digest('hex') + ':' + sent['cart_v'];
}

export default { key };
