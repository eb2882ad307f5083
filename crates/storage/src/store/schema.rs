//! The definitions of the tables for Diesel. They are the same for both databases.

/// SQL types for the tables.
mod types {
    pub use crate::store::sql::{Document, Instant};
    pub use diesel::sql_types::{BigInt, Bool, Double, Integer, Nullable, Text};
}

diesel::table! {
    use super::types::*;

    social_media_posts (id) {
        id -> BigInt,
        post_id -> Text,
        source -> Text,
        content -> Text,
        author -> Nullable<Text>,
        created_at -> Instant,
        ingested_at -> Instant,
        lang -> Nullable<Text>,
        url -> Nullable<Text>,
        reply_to -> Nullable<Text>,
        sentiment_label -> Text,
        emotion -> Text,
        confidence_score -> Double,
        entry_epoch -> Text,
        entry_ms -> BigInt,
        entry_seq -> BigInt,
    }
}

diesel::table! {
    use super::types::*;

    sentiment_analysis (id) {
        id -> BigInt,
        post_id -> Text,
        model_name -> Text,
        sentiment_label -> Text,
        confidence_score -> Double,
        emotion -> Text,
        analyzed_at -> Instant,
        scores -> Document,
        truncated -> Bool,
    }
}

diesel::table! {
    use super::types::*;

    stream_outcomes (epoch, outcome) {
        epoch -> Text,
        outcome -> Text,
        count -> BigInt,
    }
}

diesel::table! {
    use super::types::*;

    sentiment_alerts (id) {
        id -> BigInt,
        alert_type -> Text,
        scope -> Text,
        state -> Text,
        threshold_value -> Double,
        actual_value -> Double,
        window_start -> Instant,
        window_end -> Instant,
        post_count -> Integer,
        triggered_at -> Instant,
        resolved_at -> Nullable<Instant>,
        details -> Document,
        rule_id -> Nullable<BigInt>,
        severity -> Text,
        phase -> Text,
        labels -> Document,
        annotations -> Document,
        acknowledged_at -> Nullable<Instant>,
        acknowledged_by -> Nullable<Text>,
        acknowledged_note -> Nullable<Text>,
    }
}

diesel::table! {
    use super::types::*;

    alert_rules (id) {
        id -> BigInt,
        name -> Text,
        spec -> Document,
        provisioned -> Bool,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use super::types::*;

    alert_instances (rule_id, scope) {
        rule_id -> BigInt,
        scope -> Text,
        fingerprint -> Text,
        state -> Text,
        since -> Instant,
        began_at -> Nullable<Instant>,
        evaluated_at -> Instant,
        alert_id -> Nullable<BigInt>,
        value -> Nullable<Double>,
        threshold -> Double,
        severity -> Text,
        labels -> Document,
        annotations -> Document,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    use super::types::*;

    alert_transitions (id) {
        id -> BigInt,
        rule_id -> BigInt,
        alert_id -> Nullable<BigInt>,
        scope -> Text,
        fingerprint -> Text,
        from_state -> Text,
        to_state -> Text,
        at -> Instant,
        value -> Nullable<Double>,
        threshold -> Double,
        severity -> Text,
        labels -> Document,
        annotations -> Document,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    use super::types::*;

    alert_audit (id) {
        id -> BigInt,
        at -> Instant,
        actor -> Text,
        action -> Text,
        object_kind -> Text,
        object_id -> Text,
        name -> Text,
        before -> Nullable<Document>,
        after -> Nullable<Document>,
    }
}

diesel::table! {
    use super::types::*;

    alert_evidence (post_id, alert_id) {
        post_id -> Text,
        alert_id -> BigInt,
    }
}

diesel::table! {
    use super::types::*;

    leases (name) {
        name -> Text,
        holder -> Text,
        token -> BigInt,
        expires_at -> Instant,
    }
}

diesel::table! {
    use super::types::*;

    source_cursors (source) {
        source -> Text,
        cursor -> Text,
        updated_at -> Instant,
    }
}

diesel::table! {
    use super::types::*;

    post_topics (topic_id, created_at, post) {
        topic_id -> BigInt,
        created_at -> Instant,
        post -> BigInt,
        sentiment_label -> Nullable<Text>,
        confidence_score -> Nullable<Double>,
        clause_start -> Nullable<Integer>,
        clause_end -> Nullable<Integer>,
    }
}

diesel::table! {
    use super::types::*;

    source_feeds (name) {
        name -> Text,
        paused -> Bool,
        instance -> Text,
        report -> Document,
        reported_at -> Instant,
    }
}

diesel::table! {
    use super::types::*;

    source_hooks (name) {
        name -> Text,
        accepted -> BigInt,
        rejected -> BigInt,
        last_post -> Nullable<Instant>,
        last_error -> Nullable<Text>,
    }
}

diesel::table! {
    use super::types::*;
    observed_spans (id) {
        id -> BigInt,
        started_at -> Instant,
        ended_at -> Instant,
    }
}

diesel::joinable!(post_topics -> social_media_posts (post));
diesel::allow_tables_to_appear_in_same_query!(post_topics, social_media_posts);
diesel::joinable!(alert_evidence -> sentiment_alerts (alert_id));
diesel::allow_tables_to_appear_in_same_query!(social_media_posts, sentiment_analysis);
diesel::allow_tables_to_appear_in_same_query!(sentiment_alerts, alert_evidence);

diesel::table! {
    use super::types::*;

    api_tokens (id) {
        id -> BigInt,
        name -> Text,
        sha256 -> Text,
        scopes -> Text,
        created_at -> Instant,
        created_by -> Text,
        expires_at -> Nullable<Instant>,
        owner_id -> Nullable<BigInt>,
        last_used_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use super::types::*;

    sign_in_codes (sha256) {
        sha256 -> Text,
        expires_at -> Instant,
    }
}

diesel::table! {
    use super::types::*;

    security_audit (id) {
        id -> BigInt,
        at -> Instant,
        actor -> Text,
        address -> Nullable<Text>,
        outcome -> Text,
        action -> Text,
        target -> Text,
        status -> Integer,
        request_id -> Text,
    }
}

diesel::table! {
    use super::types::*;

    settings (key) {
        key -> Text,
        value -> Nullable<Document>,
        previous -> Nullable<Document>,
        version -> BigInt,
        changed_by -> Text,
        changed_at -> Instant,
    }
}

diesel::table! {
    use super::types::*;

    session_id_tokens (session_id) {
        session_id -> BigInt,
        id_token -> Text,
    }
}
