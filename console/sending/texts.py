"""Texts to paste at senders that are configured by files or commands. ADDRESS and ID are replaced.

Each names the page of the sender's documentation that describes it.
"""

# Prometheus, "Alertmanager configuration", webhook_config and http_config.
ALERTMANAGER = """route:
  receiver: moca-ID
receivers:
  - name: moca-ID
    webhook_configs:
      - url: 'ADDRESS'
        send_resolved: true
        http_config:
          authorization:
            type: Bearer
            credentials_file: /etc/alertmanager/moca-ID.token
"""
# Grafana, "Use configuration files to provision alerting resources", contact points.
GRAFANA = """apiVersion: 1
contactPoints:
  - orgId: 1
    name: moca-ID
    receivers:
      - uid: moca-ID
        type: webhook
        settings:
          url: 'ADDRESS'
          httpMethod: POST
          authorization_scheme: Bearer
          authorization_credentials: $MOCA_SECRET
"""
# AWS CloudFormation, AWS::Events::Connection, AWS::Events::ApiDestination and AWS::Events::Rule.
CLOUDFORMATION = """Parameters:
  Secret:
    Type: String
    NoEcho: true
Resources:
  MocaConnection:
    Type: AWS::Events::Connection
    Properties:
      AuthorizationType: API_KEY
      AuthParameters:
        ApiKeyAuthParameters:
          ApiKeyName: x-api-key
          ApiKeyValue: !Ref Secret
  MocaDestination:
    Type: AWS::Events::ApiDestination
    Properties:
      ConnectionArn: !GetAtt MocaConnection.Arn
      HttpMethod: POST
      InvocationEndpoint: 'ADDRESS'
      InvocationRateLimitPerSecond: 50
  MocaRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: invoke
          PolicyDocument:
            Version: '2012-10-17'
            Statement:
              - Effect: Allow
                Action: events:InvokeApiDestination
                Resource: !GetAtt MocaDestination.Arn
  MocaRule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [my.app]}
      Targets:
        - Id: moca
          Arn: !GetAtt MocaDestination.Arn
          RoleArn: !GetAtt MocaRole.Arn
"""
# AWS CLI, events create-connection and create-api-destination.
EVENTBRIDGE_CLI = """CONNECTION=$(aws events create-connection --name moca-ID \\
  --authorization-type API_KEY \\
  --auth-parameters "ApiKeyAuthParameters={ApiKeyName=x-api-key,ApiKeyValue=$SECRET}" \\
  --query ConnectionArn --output text)
aws events create-api-destination --name moca-ID --connection-arn "$CONNECTION" \\
  --http-method POST --invocation-endpoint 'ADDRESS'
"""
# AWS CLI, sns subscribe.
SNS = """aws sns subscribe --topic-arn "$TOPIC_ARN" --protocol https \\
  --notification-endpoint 'ADDRESS'
"""
# GitHub, REST API, "Create a repository webhook".
GITHUB = """gh api 'repos/OWNER/REPOSITORY/hooks' -f name=web -F active=true -f 'events[]=push' \\
  -f 'config[url]=ADDRESS' \\
  -f 'config[content_type]=json' -f "config[secret]=$SECRET"
"""
# GitLab, "Project webhooks API".
GITLAB = """glab api --method POST 'projects/:id/hooks' -f 'url=ADDRESS' \\
  -f "token=$SECRET" -f push_events=true
"""
# Slack, "App manifest reference", settings.event_subscriptions.
SLACK = """settings:
  event_subscriptions:
    request_url: 'ADDRESS'
    bot_events:
      - app_mention
"""
# Stripe CLI, `stripe listen` and `stripe webhook_endpoints create`.
STRIPE_ENDPOINT = """stripe webhook_endpoints create --url 'ADDRESS' \\
  -d 'enabled_events[]=checkout.session.completed'
"""
STRIPE_LISTEN = """stripe listen --print-secret
stripe listen --forward-to 'ADDRESS'
"""
# Shopify, "App configuration", webhooks.
SHOPIFY = """[webhooks]
api_version = "2026-10"

[[webhooks.subscriptions]]
topics = ["orders/create"]
uri = "ADDRESS"
"""
# PagerDuty, REST API, "Create a webhook subscription".
PAGERDUTY = """curl 'https://api.pagerduty.com/webhook_subscriptions' \\
  -H "Authorization: Token token=$PAGERDUTY_TOKEN" -H 'Content-Type: application/json' \\
  -d '{"webhook_subscription": {"type": "webhook_subscription",
    "delivery_method": {"type": "http_delivery_method", "url": "ADDRESS"},
    "events": ["incident.triggered"], "filter": {"type": "account_reference"}}}'
"""
