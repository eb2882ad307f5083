//! The types of the crate `openidconnect` for this server, and the checks of an ID token.

use std::time::{Duration, SystemTime};

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessTokenHash, ClientId, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdToken,
    IdTokenFields, IdTokenVerifier, Nonce, OAuth2TokenResponse as _, ProviderMetadataWithLogout, StandardErrorResponse,
    StandardTokenResponse, TokenResponse as _,
};

use super::claims::{Claims, Extra, is_subject};
use super::error::Refusal;
use crate::domain::Timestamp;

/// An ID token.
pub type SignedIdToken = IdToken<Extra, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

type Fields = IdTokenFields<
    Extra,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

/// The answer of the token endpoint.
pub type Tokens = StandardTokenResponse<Fields, CoreTokenType>;

/// A client with the endpoints of a discovery document.
pub type Client = openidconnect::Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The accepted signature algorithms: those with a public key. `none` and shared secrets (HS256) are refused, even if
/// the provider lists them.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The accepted difference between the clocks of the provider and this server.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// What an ID token must match.
pub struct Expected<'a> {
    /// The issuer and its keys.
    pub metadata: &'a ProviderMetadataWithLogout,
    /// The audience.
    pub client_id: &'a str,
    /// The nonce of the authorization request.
    pub nonce: &'a str,
    /// The current time.
    pub now: Timestamp,
}

impl Expected<'_> {
    /// The claims of the ID token among `tokens`, after the checks of OpenID Connect Core, section 3.1.3.7.
    ///
    /// # Errors
    /// Which check failed.
    pub fn check<'t>(&self, tokens: &'t Tokens) -> Result<&'t Claims, Refusal> {
        let invalid = |reason: &str| Refusal::Invalid(format!("ID token: {reason}"));
        let token = tokens.id_token().ok_or_else(|| invalid("missing"))?;
        let client_id = ClientId::new(self.client_id.to_owned());
        let (issuer, keys) = (self.metadata.issuer().clone(), self.metadata.jwks().clone());
        let earliest = system_time(self.now - CLOCK_SKEW);
        let latest = system_time(self.now + CLOCK_SKEW);
        let verifier = IdTokenVerifier::<CoreJsonWebKey>::new_public_client(client_id, issuer, keys)
            .set_allowed_algs(ALGORITHMS)
            // Further audiences are accepted here, because `azp` is checked below.
            .set_other_audience_verifier_fn(|_| true)
            .set_time_fn(move || earliest.into())
            .set_issue_time_verifier_fn(move |issued| {
                if SystemTime::from(issued) <= latest { Ok(()) } else { Err("iat is in the future".to_owned()) }
            });
        let claims = token.claims(&verifier, &Nonce::new(self.nonce.to_owned()))?;

        match claims.authorized_party() {
            Some(party) if party.as_str() != self.client_id => return Err(invalid("azp names another client")),
            None if claims.audiences().len() > 1 => return Err(invalid("several audiences without azp")),
            _ => {}
        }
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = token.signing_alg().map_err(|_| invalid("no signature"))?;
            let key = token.signing_key(&verifier).map_err(|_| Refusal::UnknownKey)?;
            let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key);
            if actual.ok().as_ref() != Some(expected) {
                return Err(invalid("at_hash does not match the access token"));
            }
        }
        if !is_subject(claims.subject()) {
            return Err(invalid("sub must have 1 to 255 visible characters"));
        }
        Ok(claims)
    }
}

fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(at.as_seconds()).unwrap_or_default())
}
