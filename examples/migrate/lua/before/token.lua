-- Verifies a bearer token inside of HAProxy: HS256 by one secret, issuer, audience and expiry. Each claim that rules use becomes a
-- variable.

local secret = os.getenv("OAUTH_HMAC_SECRET")
local issuer = os.getenv("OAUTH_ISSUER")
local audience = os.getenv("OAUTH_AUDIENCE")

local function claims_of(txn)
    local header = txn.sf:req_hdr("authorization")
    local token = header and header:match("^[Bb]earer (.+)$")
    if not token then return nil end
    local signed, signature = token:match("^(.+)%.([^.]*)$")
    local head, payload = (signed or ""):match("^([^.]+)%.([^.]+)$")
    if not head then return nil end
    if txn.c:json_query(txn.c:ub64dec(head), "$.alg") ~= "HS256" then return nil end
    local made = txn.c:ub64enc(txn.c:hmac(signed, "sha256", secret))
    if made ~= signature then return nil end
    return txn.c:ub64dec(payload)
end

core.register_action("check_token", { "http-req" }, function(txn)
    txn:set_var("txn.authorized", false)
    local claims = claims_of(txn)
    if not claims then return end
    local claim = function(name) return txn.c:json_query(claims, "$." .. name) end
    if claim("iss") ~= issuer or claim("aud") ~= audience then return end
    local expiry = tonumber(txn.c:json_query(claims, "$.exp", "int"))
    if expiry and expiry < os.time() then return end
    txn:set_var("txn.oauth.sub", claim("sub"))
    txn:set_var("txn.oauth.scope", claim("scope"))
    txn:set_var("txn.authorized", true)
end)
